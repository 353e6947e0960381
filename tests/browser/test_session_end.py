"""Someone leaves a desk without logging out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def settings_of_desk():
    return {"CONSOLE__SESSION_IDLE": "4s"}


def test_who_does_nothing_is_logged_out_though_home_refreshes_and_comes_back_to_where_they_were(at_desk):
    anna = at_desk()
    anna.log_in("operator")
    page = anna.page
    expect(page.locator("#tile-review")).to_be_visible()
    expect(page.locator("#freshness")).to_contain_text("You are logged out")

    anna.open("orders/order/?q=ANYTHING")
    expect(page.get_by_label("Password")).to_be_visible()
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert page.url.endswith("/admin/orders/order/?q=ANYTHING")
