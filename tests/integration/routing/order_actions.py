"""Actions on orders as people at the console choose and decide them."""

from __future__ import annotations

from typing import Any

from tests.book_rows import order_in_book

ORDERS = "/admin/orders/order/"
# Each with the permission that it takes.
ACTIONS = {
    "route_to_a_venue": "route_order",
    "retry_now": "retry_order",
    "cancel": "cancel_order",
    "clear_review": "review_order",
}


def choose(client, *order_ids: str, action: str = "route_to_a_venue", **fields: str) -> Any:
    """The page that says what would be done."""
    return client.post(ORDERS, {"action": action, "_selected_action": order_ids, **fields}, follow=True)


def decide(client, proposed: Any, *, reason: str = "client asked", **fields: str) -> Any:
    """The page that says what was done; `route` where there is one to be given."""
    if proposed.context["action"].operation == "route":
        fields = {"route": "NYSE"} | fields
    return client.post(path_of(proposed, "decide"), {"reason": reason, **fields}, follow=True)


def do(client, *order_ids: str, action: str = "route_to_a_venue", **fields: str) -> Any:
    return decide(client, choose(client, *order_ids, action=action), **fields)


def path_of(page: Any, name: str) -> str:
    return f"/admin/routing/bulkaction/{page.context['action'].pk}/{name}/"


def told(page: Any) -> dict[str, str]:
    return {row["order"].pk: row["said"] for row in page.context["rows"]}


def many(count: int) -> None:
    for number in range(count):
        order_in_book(f"T-{number:04}")
