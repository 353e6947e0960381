"""The console's main pages, each with the way there, and a desk on which there is something to see on all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from django.contrib.admin.utils import quote

from tests.browser.desk import Desk
from tests.browser.visitor import Visitor
from tests.builders import body

FOUR_EYES = {"CONSOLE__FOUR_EYES_ABOVE": "1000000"}
LONGEST_ID = f"{'A-very-long-order-id.' * 3}-001"[3:]
LONG = "a reason that goes on, as people's reasons do when they have spoken with a client for an hour " * 3


# Of the last hour, for the charts: home counts a minute once, when it is over.
_ROUTED_BEFORE = """
UPDATE order_routes SET decided_at = decided_at - (attempt + hashtext(order_id) % 50 + 52) * interval '1 minute'
WHERE order_id LIKE 'ORD-%%' RETURNING 1
"""


def fill(desk: Desk) -> None:
    """Orders of all kinds and of several days, and rejected messages; before anyone has looked at home."""
    today = datetime.now(UTC)
    for day in range(8):
        created = f"{today - timedelta(days=day, minutes=1):%Y-%m-%dT%H:%M:%SZ}"
        desk.orders(
            f"ORD-{today - timedelta(days=day):%Y%m%d}", 6 + day % 3, status="ROUTED", created_at=created
        )
    desk.system.rows(_ROUTED_BEFORE)
    desk.stuck_orders("STUCK", 12)
    desk.stuck_orders("LARGE", 1, quantity=100_000)
    desk.stuck_orders(LONGEST_ID.removesuffix("-001"), 1)
    desk.rejected(
        ("msg-price", body("REJECTED-1", price=None)),
        *((f"msg-side-{n}", body(f"REJECTED-2{n}", side="HOLD")) for n in range(5)),
        ("msg-torn", body("REJECTED-3")[:-20]),
        ("msg-" + "x" * 200, b"\x00\x01\xfe" + b"0" * 3000),
        ("msg-wide", body("REJECTED-4", quantity=-1, note="n" * 2000)),
    )


def act(supervisor: Visitor) -> None:
    """What people do in a day."""
    _route(supervisor, "orders/order/STUCK-001/change/", "LSE-DESK-7", "the client called")
    _route(supervisor, "orders/order/STUCK-002/change/", "BATS-3", LONG)
    _route(supervisor, "orders/order/LARGE-001/change/", "XETRA-2", "the client called")
    page = supervisor.page
    supervisor.open("orders/halt/add/")
    page.get_by_label("A symbol").check()
    page.get_by_label("Symbol or counterparty").fill("VOD.L")
    page.get_by_label("Reason").fill("wrong prices in the feed")
    page.get_by_role("button", name="Halt").click()
    page.get_by_text("is halted, which holds").wait_for()
    supervisor.open("orders/apitoken/add/")
    page.get_by_label("Name").fill("desk-tool")
    page.get_by_label("read").check()
    page.get_by_role("button", name="Make it").click()
    page.locator("#token").wait_for()


def _route(visitor: Visitor, order: str, venue: str, reason: str) -> None:
    _propose(visitor, order)
    visitor.page.get_by_label("Venue").fill(venue)
    visitor.page.get_by_label("Reason").fill(reason)
    visitor.page.get_by_role("button", name="Route 1 order").click()
    visitor.page.get_by_role("status").wait_for()


def _propose(visitor: Visitor, order: str) -> None:
    visitor.open(order)
    visitor.page.get_by_role("button", name="Route to a venue").click()
    visitor.page.get_by_label("Venue").wait_for()


def _propose_many(visitor: Visitor) -> None:
    visitor.open("orders/order/?q=STUCK")
    visitor.page.locator("#action-toggle").check()
    visitor.page.locator("select[name=action]").select_option(label="Route to a venue…")
    visitor.page.get_by_role("button", name="Run").click()
    visitor.page.get_by_label("Venue").wait_for()


def _first(path: str, text: str | re.Pattern[str] = "") -> Callable[[Visitor], None]:
    """The page that the first row with this text leads to."""

    def go(visitor: Visitor) -> None:
        visitor.open(path)
        row = visitor.page.locator("#result_list tbody tr").filter(has_text=text).first
        row.get_by_role("link").first.click()
        visitor.page.wait_for_load_state()

    return go


def _at(path: str) -> Callable[[Visitor], None]:
    return lambda visitor: visitor.open(path)


def _mend(visitor: Visitor) -> None:
    _first("consumers/rejectedmessage/?q=msg-wide")(visitor)
    visitor.page.get_by_role("button", name=re.compile("Mend")).click()
    visitor.page.get_by_role("button", name="Check").click()
    visitor.page.get_by_role("heading", name="It would be rejected again").wait_for()


def _replay(visitor: Visitor) -> None:
    visitor.open("consumers/rejectedmessage/replay/")


def _lift(visitor: Visitor) -> None:
    visitor.open("orders/halt/")
    visitor.page.get_by_role("link", name=re.compile("Lift")).first.click()
    visitor.page.get_by_label("Reason").wait_for()


def _without_reason(visitor: Visitor) -> None:
    _propose(visitor, "orders/order/STUCK-003/change/")
    visitor.page.get_by_role("button", name="Route 1 order").click()
    visitor.page.locator(".errorlist").first.wait_for()


# Of a supervisor, on a desk that is filled.
FULL: Mapping[str, Callable[[Visitor], None]] = {
    "home": _at(""),
    "orders": _at("orders/order/"),
    "orders-in-review": _at("orders/order/?needs_review__exact=1"),
    "orders-none-found": _at("orders/order/?q=NO-SUCH-ORDER"),
    "order": _at("orders/order/STUCK-001/change/"),
    "order-long": _at(f"orders/order/{quote(LONGEST_ID)}/change/"),
    "action": lambda visitor: _propose(visitor, "orders/order/STUCK-003/change/"),
    "action-on-many": _propose_many,
    "action-refused": _without_reason,
    "actions": _at("routing/bulkaction/"),
    "action-result": _first("routing/bulkaction/", "BATS-3"),
    "approvals": _at("routing/routeapproval/"),
    "approval": _first("routing/routeapproval/"),
    "rejected": _at("consumers/rejectedmessage/"),
    "rejected-message": _first("consumers/rejectedmessage/?q=msg-side"),
    "rejected-binary": _first("consumers/rejectedmessage/?q=msg-xx"),
    "rejected-mend": _mend,
    "rejected-replay": _replay,
    "halts": _at("orders/halt/"),
    "halt": _first("orders/halt/"),
    "halt-new": _at("orders/halt/add/"),
    "halt-lift": _lift,
    "audit": _at("orders/auditentry/"),
    "audit-entry": _first("orders/auditentry/"),
    "tokens": _at("orders/apitoken/"),
    "token-new": _at("orders/apitoken/add/"),
    "token": _first("orders/apitoken/"),
    "password": _at("password_change/"),
}
# On a desk at which nothing has happened yet.
EMPTY = {
    name: FULL[name]
    for name in ("home", "orders", "actions", "approvals", "rejected", "halts", "audit", "tokens")
}
# In docs/console.md.
PICTURED = ("home", "orders", "order", "action-on-many", "rejected-message", "halts")
