"""What others were told of an order: the status cache, the routed queue, the router. P4, P5, P7."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from order_entry_project.proof.evidence import BookOrder, BookRoute, Evidence
from order_entry_project.proof.finding import Finding
from order_entry_project.proof.ledger import exact
from order_entry_project.proof.stories import DECIDED
from orders.lifecycle import FINAL

_MILLISECOND = 1000  # microseconds


def status_copies(found: Evidence) -> Iterator[Finding]:
    """An older version is no lie while it ages; a final status never does."""
    for order_id, record in found.cached.items():
        order, version = found.orders[order_id], int(record["version"])
        if version > order.version:
            yield Finding(
                "P7", f"the cache has version {version} of order {order_id}, the book {order.version}"
            )
        elif version < order.version and record["status"] in FINAL:
            yield Finding(
                "P7",
                f"the cache says for good that order {order_id} is {record['status']}, the book {order.status}",
            )
        elif version == order.version:
            yield from _same_state(order, record["value"])


def _same_state(order: BookOrder, document: str) -> Iterator[Finding]:
    expected = _fields(order) | {
        "status": order.status,
        "route": order.route,
        "updated_at": _milliseconds(order.updated_at),
    }
    for name, is_, should in _differences(document, expected):
        yield Finding("P7", f"the cache says {name} of order {order.order_id} is {is_}, the book {should}")


def published_copies(found: Evidence) -> Iterator[Finding]:
    yield from _executions(found)
    if found.routed is not None:
        yield from _messages(found, _bodies(found))


def _executions(found: Evidence) -> Iterator[Finding]:
    if found.executions is None:
        return
    for order_id, times in found.executions.items():
        if times > 1:
            yield Finding("P4", f"the router executed order {order_id} {times} times")
        if order_id not in found.orders:
            yield Finding("P4", f"the router was asked for order {order_id}, which is not in the book")
    for order_id, routes in found.routes.items():
        accepted = any(route.outcome == "ACCEPTED" for route in routes)
        if accepted and not found.executions.get(order_id):
            yield Finding("P4", f"order {order_id} has an accepted route, and the router never executed it")


def _bodies(found: Evidence) -> dict[str | None, set[bytes]]:
    bodies: dict[str | None, set[bytes]] = defaultdict(set)
    for message in found.routed or ():
        bodies[message.message_id].add(message.body)
    return bodies


def _messages(found: Evidence, bodies: dict[str | None, set[bytes]]) -> Iterator[Finding]:
    """One body for each decided route, as often as it likes; `bodies` by message id."""
    for order in found.orders.values():
        for route in found.routes.get(order.order_id, ()):
            if route.outcome in DECIDED:
                yield from _copies(order, route, bodies.pop(f"routed:{order.order_id}", set()))
    for message_id in bodies:
        yield Finding("P5", f"message {message_id} was published, and no order is routed by that name")


def _copies(order: BookOrder, route: BookRoute, bodies: Collection[bytes]) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    if not bodies:
        yield Finding("P5", f"{name} is routed and was never published")
    elif len(bodies) > 1:
        yield Finding("P5", f"{name} was published in {len(bodies)} different wordings")
    elif route.published_at is None:
        yield Finding("P5", f"{name} was published and still stands in the outbox")
    expected = _fields(order) | {
        "status": "ROUTED",
        "counterparty": order.counterparty,
        "route": route.route,
        "routed_at": _milliseconds(route.decided_at),
        "extra": exact(order.extra),
        "messageId": order.message_id,
    }
    for body in bodies:
        for field, is_, should in _differences(body, expected):
            yield Finding("P5", f"{name} was published with {field} {is_}, the book has {should}")


def _fields(order: BookOrder) -> dict[str, Any]:
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "price": order.price,
        "created_at": _milliseconds(order.created_at),
    }


def _differences(text: str | bytes, expected: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Name, what is, what should be, of each field that differs, is missing or was not asked for."""
    try:
        document = exact(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        yield "the document", "unreadable", "a JSON object"
        return
    for name in sorted(expected.keys() | document.keys()):
        is_, should = document.get(name, "absent"), expected.get(name, "absent")
        if isinstance(should, datetime):
            is_ = _moment(is_)
        if is_ != should:
            yield name, is_, should


def _moment(text: object) -> object:
    """The time that `text` says, else what it is."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return text


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // _MILLISECOND * _MILLISECOND)
