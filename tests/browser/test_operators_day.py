"""An operator's day at the console."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.builders import body
from tests.waiting import wait_until

pytestmark = pytest.mark.browser


def test_a_stuck_order_is_found_read_routed_by_hand_and_published(own_desk, at_desk):
    own_desk.stuck_orders("STUCK", 3)
    anna = at_desk("operator")
    page = anna.page

    # Home says that orders wait, and leads to them.
    anna.open("")
    page.locator("#tile-review").click()
    page.locator("#searchbar").fill("STUCK-002")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("link", name="STUCK-002").click()

    # Its story: what happened, and what the router answered.
    expect(page.get_by_role("listitem").filter(has_text="Review Required")).to_contain_text("no venue takes")
    call = page.get_by_role("listitem").filter(has_text="Call 1: Refused")
    call.get_by_text("Response").click()
    expect(call.locator("pre:visible")).to_contain_text("no venue takes this order")

    page.get_by_role("button", name="Route to a venue").click()
    expect(page.locator("body")).to_contain_text("Nothing is done yet")
    expect(page.get_by_role("cell", name="will be done")).to_be_visible()
    page.get_by_label("Venue").fill("LSE-DESK-7")
    page.get_by_label("Reason").fill("the client called")
    page.get_by_role("button", name="Route 1 order").click()

    expect(page.get_by_role("status")).to_have_text("1 done.")
    page.get_by_role("link", name="STUCK-002").click()
    expect(page.locator("body")).to_contain_text("LSE-DESK-7")
    expect(page.locator("body")).to_contain_text("the client called")
    wait_until(lambda: own_desk.published("STUCK-002"), what="the routed order is in the routed queue")
    assert own_desk.system.rows(
        "SELECT actor, reason FROM order_events WHERE order_id = 'STUCK-002' AND event = 'ROUTED'"
    ) == [("operator", "the client called")]


def test_fifty_orders_are_routed_in_one_go_but_for_the_one_someone_else_has_canceled(own_desk, at_desk):
    ids = own_desk.stuck_orders("FIFTY", 50)
    anna, ben = at_desk("operator"), at_desk("supervisor")
    page = anna.page
    anna.open("orders/order/?q=FIFTY")
    page.locator("#action-toggle").check()
    _choose(page, "Route to a venue")
    page.get_by_label("Venue").fill("XETRA-2")
    page.get_by_label("Reason").fill("the router has no venue for them")

    ben.open("orders/order/FIFTY-007/change/")
    ben.page.get_by_role("button", name="Cancel…").click()
    ben.page.get_by_label("Reason").fill("the client took it back")
    ben.page.get_by_role("button", name="Cancel 1 order").click()
    expect(ben.page.get_by_role("status")).to_have_text("1 done.")

    page.get_by_role("button", name="Route 50 orders").click()
    expect(page.get_by_role("status")).to_have_text("1 refused, 49 done.")
    refused = page.get_by_role("row").filter(has=page.get_by_role("link", name="FIFTY-007"))
    expect(refused).to_contain_text(re.compile("cancel", re.IGNORECASE))
    own_desk.settled([order_id for order_id in ids if order_id != "FIFTY-007"], status="ROUTED")
    wait_until(lambda: own_desk.published("FIFTY-050"), what="the last of them is published")


def test_a_rejected_message_is_mended_and_its_order_routed(own_desk, at_desk):
    own_desk.rejected(("msg-mend", body("MENDED-1", quantity=-5)))
    anna = at_desk("operator")
    page = anna.page
    anna.open("consumers/rejectedmessage/")
    page.get_by_role("link", name="msg-mend").click()
    expect(page.locator("mark")).to_contain_text("-5")
    page.get_by_role("button", name=re.compile("Mend")).click()

    page.get_by_role("textbox", name="Message").fill(body("MENDED-1", quantity=-50).decode())
    page.get_by_label("Reason").fill("the sign was wrong")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="It would be rejected again")).to_be_visible()
    page.get_by_role("textbox", name="Message").fill(body("MENDED-1", quantity=5).decode())
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="It would be taken")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("body")).to_contain_text("The mended message is in")

    own_desk.settled(["MENDED-1"], status="ROUTED")
    wait_until(lambda: own_desk.published("MENDED-1"), what="it is published")


def test_all_rejected_messages_of_a_group_are_replayed_at_once(own_desk, at_desk):
    own_desk.rejected(*((f"msg-group-{n:02d}", body(f"GROUP-{n:02d}", side="HOLD")) for n in range(12)))
    anna = at_desk("operator")
    page = anna.page
    anna.open("consumers/rejectedmessage/")
    page.get_by_role("row").filter(has_text="side").get_by_role("link", name=re.compile("Replay")).click()
    page.get_by_label("Reason").fill("the sender says it has mended them")
    page.get_by_role("button", name="Replay 12 messages").click()
    expect(page.get_by_role("status")).to_contain_text("12 messages are in their queues again")
    # What is still wrong comes back.
    again = "SELECT count(*) FROM rejected_messages WHERE fault = %s AND attempts = 2 AND state = 'WAITING'"
    wait_until(lambda: own_desk.system.rows(again, "side") == [(12,)], what="they are rejected again")


def test_a_halted_symbol_s_orders_wait_until_the_halt_is_lifted(own_desk, at_desk):
    sue = at_desk("supervisor")
    page = sue.page
    sue.open("orders/halt/add/")
    page.get_by_label("A symbol").check()
    page.get_by_label("Symbol or counterparty").fill("GME")
    page.get_by_label("Reason").fill("wrong prices in the feed")
    page.get_by_role("button", name="Halt").click()
    expect(page.locator("body")).to_contain_text("Routing of GME is halted, which holds 0 orders")

    ids = own_desk.orders("HALTED", 3, status="PENDING_ROUTE", symbol="GME")
    own_desk.orders("OTHERS", 1, status="ROUTED")
    # Everyone sees it, on each page.
    vic = at_desk("viewer")
    vic.open("orders/order/")
    expect(vic.page.get_by_role("region", name="Halts in force")).to_contain_text("wrong prices in the feed")

    sue.open("orders/halt/")
    expect(page.get_by_role("row").filter(has=page.get_by_role("link", name="Lift"))).to_contain_text(
        "3 orders"
    )
    page.get_by_role("link", name="Lift the halt of GME").click()
    page.get_by_label("Reason").fill("the feed is right again")
    page.get_by_role("button", name="Lift it").click()
    expect(page.locator("body")).to_contain_text("is lifted: what waited for it is due")
    own_desk.settled(ids, status="ROUTED")


def test_who_may_only_look_is_offered_nothing_and_refused_everything(own_desk, at_desk):
    own_desk.stuck_orders("LOOK", 1)
    own_desk.rejected(("msg-look", body("LOOK-2", price=None)))
    vic = at_desk("viewer")
    page = vic.page
    vic.open("orders/order/LOOK-001/change/")
    expect(page.locator("body")).to_contain_text("no venue takes this order")
    expect(page.get_by_role("button", name=re.compile("Route|Retry|Cancel|Clear"))).to_have_count(0)
    vic.open("orders/order/")
    expect(page.locator("select[name=action]")).to_have_count(0)
    vic.open("consumers/rejectedmessage/")
    expect(page.get_by_role("link", name=re.compile("Replay|Discard"))).to_have_count(0)

    for path in ("consumers/rejectedmessage/replay/", "orders/halt/add/", "auth/user/", "orders/apitoken/"):
        vic.open(path)
        expect(page.locator("body")).to_contain_text(re.compile("permission|forbidden", re.IGNORECASE))
    # The browser says of each that it was refused.
    assert len([said for said in vic.complaints() if "403" in said]) == 4


def _choose(page, action):
    page.locator("select[name=action]").select_option(label=f"{action}…")
    page.get_by_role("button", name="Run").click()
