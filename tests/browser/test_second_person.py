"""What takes a second person; and what one person does beside routing: mend the cache, take orders along as CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import places
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

_LIE = """
UPDATE store_records SET bins = replace(bins::text, 'ROUTED', 'CANCELED')::jsonb WHERE key = %s RETURNING 1
"""
_CACHED = "SELECT bins::text FROM store_records WHERE key = %s"


@pytest.fixture(scope="module")
def settings_of_desk():
    return places.FOUR_EYES


def _ask_for(anna, order_id):
    anna.open(f"orders/order/{order_id}/change/")
    anna.page.get_by_role("button", name="Route to a venue").click()
    expect(anna.page.locator("body")).to_contain_text("1 will wait for a second person")
    anna.page.get_by_label("Venue").fill("XETRA-2")
    anna.page.get_by_label("Reason").fill("the client called")
    anna.page.get_by_role("button", name="Route 1 order").click()
    expect(anna.page.get_by_role("status")).to_have_text("1 waiting for a second person.")


def test_a_large_route_waits_until_another_person_approves_it(own_desk, at_desk):
    (order_id,) = own_desk.stuck_orders("EYES", 1, quantity=100_000)
    anna, sue = at_desk("operator"), at_desk("supervisor")
    _ask_for(anna, order_id)

    # Not she herself: she may only take it back.
    anna.open("routing/routeapproval/")
    anna.page.get_by_role("link", name=order_id).click()
    expect(anna.page.get_by_role("button", name="Take it back")).to_be_visible()
    expect(anna.page.get_by_role("button", name="Approve")).to_have_count(0)
    assert own_desk.system.rows("SELECT status FROM orders WHERE order_id = %s", order_id) == [
        ("PENDING_ROUTE",)
    ]

    page = sue.page
    sue.open("")
    page.get_by_role("link", name="Waiting for approval").click()
    page.get_by_role("link", name=order_id).click()
    expect(page.get_by_role("row").filter(has_text="Notional")).to_contain_text("14,550,000.00")
    expect(page.get_by_role("row").filter(has_text="Asked for by")).to_contain_text("operator")
    page.get_by_role("button", name="Approve: route it to XETRA-2").click()
    expect(page.locator("body")).to_contain_text(f"{order_id} is routed to XETRA-2")
    wait_until(lambda: own_desk.published(order_id), what="it is published")
    assert own_desk.system.rows(
        "SELECT actor, reason FROM order_events WHERE order_id = %s AND event = 'ROUTED'", order_id
    ) == [("operator", "the client called (approved by supervisor)")]


def test_what_the_second_person_declines_stays_where_it_is(own_desk, at_desk):
    (order_id,) = own_desk.stuck_orders("DECLINED", 1, quantity=100_000)
    anna, sue = at_desk("operator"), at_desk("supervisor")
    _ask_for(anna, order_id)
    sue.open("routing/routeapproval/")
    sue.page.get_by_role("link", name=order_id).click()
    sue.page.get_by_role("button", name="Decline").click()
    expect(sue.page.locator(".errorlist").first).to_be_visible()
    sue.page.get_by_label("Remark").fill("not at this venue")
    sue.page.get_by_role("button", name="Decline").click()
    expect(sue.page.locator("body")).to_contain_text(f"{order_id} is not routed to XETRA-2")
    assert own_desk.system.rows("SELECT status FROM orders WHERE order_id = %s", order_id) == [
        ("PENDING_ROUTE",)
    ]


def test_a_cache_that_differs_from_sql_is_mended_with_one_click(own_desk, at_desk):
    (order_id,) = own_desk.orders("CACHED", 1, status="ROUTED")
    key = f"orderStatus:{order_id}"
    wait_until(lambda: own_desk.system.rows(_LIE, key) == [(1,)], what="the cache has it, and lies")
    anna = at_desk("operator")
    page = anna.page
    anna.open(f"orders/order/{order_id}/change/")
    differing = page.get_by_role("region", name="Cache and SQL").get_by_role("row").filter(has_text="differs")
    expect(differing.first).to_contain_text("CANCELED")
    page.get_by_role("button", name="Write to the cache what SQL says").click()
    expect(page.locator("body")).to_contain_text("The cache agrees with the book again")
    expect(page.get_by_role("button", name="Write to the cache")).to_have_count(0)
    ((bins,),) = own_desk.system.rows(_CACHED, key)
    assert json.loads(bins)["status"] == "ROUTED"


def test_the_orders_of_a_list_are_taken_along_as_csv(own_desk, at_desk):
    ids = own_desk.orders("CSV", 60, status="ROUTED")
    own_desk.orders("NOT-CSV", 1, status="ROUTED")
    anna = at_desk("operator")
    anna.open("orders/order/?q=CSV-")
    with anna.page.expect_download() as download:
        anna.page.get_by_role("link", name="Export as CSV").click()
    assert download.value.suggested_filename.startswith("orders-")
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8-sig").splitlines()))
    # All of them, more than a page shows.
    assert [row["order_id"] for row in rows] == ids
    assert {row["status"] for row in rows} == {"ROUTED"}
    link = anna.page.get_by_role("link", name="Export as CSV").get_attribute("href")
    streamed = anna.page.request.get(f"{own_desk.url}{link}")
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in streamed.headers


def test_a_viewer_is_offered_neither(own_desk, at_desk):
    (order_id,) = own_desk.orders("VIEWED", 1, status="ROUTED")
    vic = at_desk("viewer")
    vic.open("orders/order/?q=VIEWED")
    expect(vic.page.get_by_role("link", name=order_id)).to_be_visible()
    expect(vic.page.get_by_role("link", name="Export as CSV")).to_have_count(0)
    vic.open("orders/order/export/")
    expect(vic.page.get_by_role("heading")).to_be_visible()
    assert [said for said in vic.complaints() if "403" not in said] == []
