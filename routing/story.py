"""The story of one order: everything that happened to it, in the order in which it happened.

Other apps know of more than is known here: they add a source to `more`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.conf import settings

from orders import documents
from orders.lifecycle import Event
from orders.models import AuditEntry, Order, OrderEvent
from routing.dossier import Dossier
from routing.models import ROUTED_BY, OrderRoute, Outcome

_BAD = {Event.REVIEW_REQUIRED, Event.PENDING_ROUTE, Event.CANCELED}


@dataclass(frozen=True)
class Entry:
    """`kind`: event, call, decision, message or audit. `mood`: good, bad, or empty.

    `parts`: what is shown on demand, title and text.
    """

    at: datetime
    kind: str
    title: str
    who: str = ""
    why: str = ""
    mood: str = ""
    link: str = ""
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Told:
    """An entry and the time since the one before it."""

    entry: Entry
    since: timedelta | None

    @property
    def time(self) -> str:
        return f"{self.entry.at:%Y-%m-%d %H:%M:%S}.{self.entry.at.microsecond // 1000:03}"

    @property
    def gap(self) -> str:
        """+12 ms, +3.4 s, +1:02:03."""
        if self.since is None:
            return ""
        seconds = self.since.total_seconds()
        if seconds < 1:
            return f"+{1000 * seconds:.0f} ms"
        return f"+{seconds:.1f} s" if seconds < 60 else f"+{str(self.since).partition('.')[0]}"  # noqa: PLR2004


Source = Callable[[Order], Iterable[Entry]]
more: list[Source] = []


def story(order: Order, found: Dossier) -> list[Told]:
    """All that is known of the order, oldest first."""
    entries = [
        _message_in(order),
        *(_event(event) for event in found.events),
        *(_attempt(order, route) for route in found.routes),
        *_publications(order, found.routes),
        *(_audited(entry) for entry in found.audit),
        *(entry for source in more for entry in source(order)),
    ]
    # What is of the same moment stays as it is above: a message comes before what it leads to.
    entries.sort(key=lambda entry: entry.at)
    before = [None, *(entry.at for entry in entries)]
    return [Told(entry, entry.at - at if at else None) for entry, at in zip(entries, before, strict=False)]


def _message_in(order: Order) -> Entry:
    fields = documents.router_body(order).decode()
    return Entry(
        order.placed_at,
        "message",
        f"Message {order.message_id} brought the order",
        why=f"created at {documents.time_text(order.created_at)} by its sender",
        parts=(("Its fields", _indented(fields)),),
    )


def _event(event: OrderEvent) -> Entry:
    mood = "bad" if event.event in _BAD else ""
    return Entry(event.at, "event", event.get_event_display(), event.actor, event.reason, mood)


def _attempt(order: Order, route: OrderRoute) -> Entry:
    mood = "good" if route.outcome in ROUTED_BY else "bad"
    if route.outcome == Outcome.MANUAL:
        title = f"Decided: {route.route}"
        return Entry(route.decided_at, "decision", title, route.decided_by, route.reason, mood)
    title = f"Call {route.attempt}: {route.get_outcome_display()}" + (
        f", {route.route}" if route.route else ""
    )
    parts = (("Request", _request(order, route)), ("Response", _response(route)))
    return Entry(route.decided_at, "call", title, route.decided_by, route.error, mood, parts=parts)


def _request(order: Order, route: OrderRoute) -> str:
    """As it was sent: an order's fields do not change. Which retry bore which key is not on record."""
    key = order.order_id + (f", or {order.order_id}:1 to :{order.key_number}" if order.key_number else "")
    body = _indented(documents.router_body(order).decode())
    return (
        f"POST {route.endpoint.rstrip('/') or '(no endpoint known)'}/route\nIdempotency-Key: {key}\n\n{body}"
    )


def _response(route: OrderRoute) -> str:
    lines = [f"HTTP {route.http_status}" if route.http_status else "no HTTP status"]
    if route.latency_ms is not None:
        lines.append(f"after {route.latency_ms:.1f} ms")
    if route.route:
        lines.append(f'\n{{"route": {json.dumps(route.route)}}}')
    return "\n".join([*lines, *filter(None, [route.error])])


def _publications(order: Order, routes: Iterable[OrderRoute]) -> Iterator[Entry]:
    for route in routes:
        if route.published_at and route.route:
            body = documents.routed_message(
                order, route=route.route, routed_at=route.decided_at, message_id=order.message_id
            )
            queue = settings.CONFIG.mq.producer_queue or "the routed queue"
            yield Entry(
                route.published_at,
                "message",
                f"Published to {queue} as routed:{order.order_id}",
                why="confirmed by the queue",
                mood="good",
                parts=(("The message", _indented(body.decode())),),
            )


def _audited(entry: AuditEntry) -> Entry:
    detail = dict(entry.detail)
    why = str(detail.pop("reason", ""))
    parts = (("Detail", json.dumps(detail, indent=2, ensure_ascii=False)),) if detail else ()
    return Entry(entry.at, "audit", entry.action, entry.actor, why, parts=parts)


def _indented(document: str) -> str:
    """A line for each field, numbers to the letter."""
    return msgspec.json.format(document, indent=2)
