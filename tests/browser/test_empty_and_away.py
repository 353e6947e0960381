"""What there is to see before anything has happened, and while SQL is away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import places

pytestmark = pytest.mark.browser

# Milliseconds until a page has given up waiting for SQL, or asks again.
_OUTAGE = 30_000


@pytest.mark.parametrize("place", places.EMPTY)
def test_an_empty_page_fits_and_is_open_to_everyone(place, own_desk, at_desk):
    faults = at_desk("supervisor").faults(places.EMPTY[place])
    assert faults == [], "\n".join(faults)


def test_the_login_fits_and_is_open_to_everyone_and_says_when_a_password_is_wrong(own_desk, at_desk):
    def wrong(visitor):
        visitor.open("")
        visitor.page.get_by_label("Username").fill("operator")
        visitor.page.get_by_label("Password").fill("not the password")
        visitor.page.get_by_role("button", name="Log in").click()
        expect(visitor.page.locator("body")).to_contain_text("Please enter the correct username and password")

    visitor = at_desk()
    faults = visitor.faults(lambda visitor: visitor.open("")) + visitor.faults(wrong)
    assert faults == [], "\n".join(faults)


def test_what_is_not_there_is_said_in_words(own_desk, at_desk):
    anna = at_desk("operator")
    anna.open("orders/order/NO-SUCH-ORDER/change/")
    expect(anna.page.locator("body")).to_contain_text("NO-SUCH-ORDER")
    anna.open("no/such/page/")
    expect(anna.page.get_by_role("heading").first).to_be_visible()
    assert anna.overflow() + anna.barriers() == []
    assert [said for said in anna.complaints() if "404" not in said] == []


def test_while_sql_is_away_pages_say_so_and_home_goes_on_by_itself_when_it_is_back(own_desk, at_desk):
    own_desk.stuck_orders("AWAY", 2)
    anna, ben = at_desk("operator"), at_desk("operator")
    anna.open("")
    expect(anna.page.locator("#tile-review")).to_contain_text("2")
    with own_desk.without_sql():
        expect(anna.page.locator("#freshness")).to_contain_text(
            re.compile("SQL|does not answer"), timeout=_OUTAGE
        )
        ben.open("orders/order/")
        expect(ben.page.get_by_role("heading")).to_have_text("The order book does not answer")
        assert anna.overflow() + ben.overflow() + anna.barriers() + ben.barriers() == []
    expect(anna.page.locator("#freshness")).to_have_text("", timeout=_OUTAGE)
    for visitor in (anna, ben):
        assert [said for said in visitor.complaints() if "50" not in said] == []
