"""A selection so large that it is done piece by piece."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.browser
ORDERS = 450
_HALT = "INSERT INTO halts (symbol, reason, actor) VALUES ('HELD', 'they are to stay', 'test')"

_CANCELED = "SELECT count(*) FROM orders WHERE status = 'CANCELED'"


def _told(status, words):
    """The figures that it names: how much a piece is depends on how fast the machine is."""
    expect(status).to_have_text(re.compile(words))
    return [int(figure) for figure in re.search(words, status.inner_text()).groups()]


@pytest.fixture
def selected(own_desk, at_desk):
    """Someone who has chosen to cancel all orders of a filter, and been shown what that would do."""
    with own_desk.system.database.connect() as connection:
        connection.execute(_HALT)
    own_desk.orders("LARGE", ORDERS, status="PENDING_ROUTE", symbol="HELD")
    anna = at_desk("operator")
    anna.open("orders/order/?q=LARGE")
    anna.page.locator("#action-toggle").check()
    anna.page.get_by_role("link", name=f"Select all {ORDERS} orders").click()
    anna.page.locator("select[name=action]").select_option("cancel")
    anna.page.get_by_role("button", name="Run").click()
    expect(anna.page.locator("body")).to_contain_text(f"Of these orders, {ORDERS} will be done")
    return anna


def test_it_shows_how_far_it_is_stops_when_told_and_goes_on_later(own_desk, selected):
    page, held = selected.page, []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/go-on/", hold)
    page.get_by_label("Reason").fill("the client withdrew all of them")
    page.get_by_role("button", name=f"Cancel {ORDERS} orders").click()

    # The first piece is done; the page has asked for the second by itself, and is told to stop after it.
    status = page.get_by_role("status")
    first, left = _told(status, r"(\d+) done, (\d+) still to be done\.")
    assert first > 0
    assert first + left == ORDERS
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    held.pop().continue_()
    done, left = _told(status, r"Stopped: (\d+) done, (\d+) still to be done\.")
    assert done > first
    assert own_desk.system.rows(_CANCELED) == [(done,)]
    assert selected.barriers() == []
    page.unroute("**/go-on/", hold)

    # Whoever looks again later finds the same statement, and nothing runs by itself.
    page.reload()
    expect(status).to_have_text(f"{done} done, {left} still to be done.")
    page.get_by_role("button", name="Go on").focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text(f"{ORDERS} done.")
    assert own_desk.system.rows(_CANCELED) == [(ORDERS,)]
