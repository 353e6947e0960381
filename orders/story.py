"""One order's history, held against its hashes, its lifecycle and the order itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from orders.evidence import event_hash, instant
from orders.lifecycle import Event, Status, may_become
from orders.schema import entered_content

_REVIEWS = frozenset({Event.REVIEW_REQUIRED.value, Event.REVIEW_CLEARED.value})
_STATES = frozenset(Status.values)


@dataclass(slots=True, frozen=True)
class Finding:
    """What is wrong, with an event of an order, with an order, or with an anchor."""

    what: str
    order_id: str | None = None
    sequence: int | None = None
    anchor: int | None = None

    @property
    def where(self) -> str:
        if self.anchor is not None:
            return f"anchor {self.anchor}"
        return f"order {self.order_id}" + (f", event {self.sequence}" if self.sequence is not None else "")


@dataclass(slots=True, frozen=True)
class BookOrder:
    """A row of `orders`; `created_at` as PostgreSQL sends it, which has times that Python has not."""

    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str | None
    created_at: bytes
    digest: bytes
    status: str
    needs_review: bool
    version: int


@dataclass(slots=True, frozen=True)
class BookEvent:
    """A row of `order_events`; `at` as above."""

    order_id: str
    sequence: int
    event: str
    actor: str
    reason: str
    at: bytes
    hash: bytes

    @property
    def at_us(self) -> int:
        return microseconds_sent(self.at)

    def hash_after(self, before: bytes, sequence: int) -> bytes:
        """As it would have been written in that place."""
        return event_hash(
            before,
            order_id=self.order_id,
            sequence=sequence,
            event=self.event,
            actor=self.actor,
            reason=self.reason,
            at_us=self.at_us,
        )


def microseconds_sent(sent: bytes) -> int:
    """A time as `timestamptz_send` gives it, which Python's may not reach."""
    return int.from_bytes(sent, "big", signed=True)


def findings_of(order: BookOrder | None, events: Sequence[BookEvent]) -> Iterator[Finding]:
    """All that is wrong with an order and its `events`, sorted by sequence; not both are empty."""
    if order is None:
        yield Finding(f"is missing: there are {len(events)} events of it", events[0].order_id)
    yield from _gaps(order, events)
    yield from _chain(order, events)
    if order is None:
        return
    if not _is_as_entered(order):
        yield Finding("its content is not what was entered: it does not have its digest", order.order_id)
    yield from _lifecycle(events)
    yield from _end(order, events)


def _gaps(order: BookOrder | None, events: Sequence[BookEvent]) -> Iterator[Finding]:
    order_id = order.order_id if order else events[0].order_id
    last = 0
    for event in events:
        yield from _missing(order_id, last + 1, event.sequence - 1)
        last = event.sequence
        if order and last > order.version:
            yield Finding(f"was inserted: the order has version {order.version}", order_id, last)
    if order:
        yield from _missing(order_id, last + 1, order.version)


def _missing(order_id: str, first: int, last: int) -> Iterator[Finding]:
    if first == last:
        yield Finding("is missing", order_id, first)
    elif first < last:
        yield Finding(f"is missing, and so are all up to {last}", order_id, first)


def _chain(order: BookOrder | None, events: Sequence[BookEvent]) -> Iterator[Finding]:
    before, last = order.digest if order else None, 0
    for event in events:
        # What came before a missing one nobody knows.
        known = before if event.sequence == last + 1 else None
        if known is not None and event.hash_after(known, event.sequence) != event.hash:
            yield Finding(_said_of(event, order, events), event.order_id, event.sequence)
        before, last = event.hash, event.sequence


def _said_of(event: BookEvent, order: BookOrder | None, events: Sequence[BookEvent]) -> str:
    befores = [other.hash for other in events] + ([order.digest] if order else [])
    for sequence in range(1, len(events) + 2):
        if sequence != event.sequence and any(event.hash_after(b, sequence) == event.hash for b in befores):
            return f"was moved: it was written as event {sequence}"
    before = f"event {event.sequence - 1}" if event.sequence > 1 else "the order's digest"
    return f"does not fit what came before it: it was altered or inserted, or {before} was, hash and all"


def _is_as_entered(order: BookOrder) -> bool:
    fields = {name: getattr(order, name) for name in ("symbol", "side", "quantity", "price", "counterparty")}
    try:
        created_at = instant(microseconds_sent(order.created_at))
        return entered_content(order.digest, **fields, created_at=created_at) is not None
    except (OverflowError, InvalidOperation):
        return False


def _lifecycle(events: Sequence[BookEvent]) -> Iterator[Finding]:
    status, in_review = "", False
    for event in events:
        if event.event in _REVIEWS:
            asked = event.event == Event.REVIEW_REQUIRED
            fits, in_review = asked != in_review, asked
        else:
            fits, status = _follows(status, event.event), event.event
        if not fits:
            yield Finding(
                f"{event.event} cannot come after what came before it", event.order_id, event.sequence
            )


def _follows(status: str, following: str) -> bool:
    if not status:
        return following == Status.PLACED
    return {status, following} <= _STATES and may_become(Status(status), Status(following))


def _end(order: BookOrder, events: Sequence[BookEvent]) -> Iterator[Finding]:
    told = [event.event for event in events]
    states = [event for event in told if event not in _REVIEWS]
    reviews = [event for event in told if event in _REVIEWS]
    if not states or states[-1] != order.status:
        yield Finding(
            f"is {order.status}; its events say {states[-1] if states else 'nothing'}", order.order_id
        )
    if order.needs_review != (reviews[-1:] == [Event.REVIEW_REQUIRED]):
        yield Finding(
            f"{'waits' if order.needs_review else 'does not wait'} for a person; its events say otherwise",
            order.order_id,
        )
