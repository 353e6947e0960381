"""What the book says has happened to one order, as its status, its events and its routes each tell it: P1, P4, P6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from order_entry_project.proof.evidence import BookEvent, BookOrder, BookRoute
from order_entry_project.proof.finding import Finding
from orders.lifecycle import Event, Status, may_become

DECIDED = ("ACCEPTED", "MANUAL")

_STATES = frozenset(Status.values)
_WITH_ROUTE = (Status.ROUTED, Status.EXECUTED)
_WITHOUT_ROUTE = (Status.PLACED, Status.PENDING_ROUTE)


def story_of(
    order: BookOrder, events: Sequence[BookEvent], routes: Sequence[BookRoute], *, router_was_well: bool
) -> Iterator[Finding]:
    yield from _end(order, router_was_well=router_was_well)
    yield from _events(order, events)
    yield from _routes(order, routes)


def _end(order: BookOrder, *, router_was_well: bool) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    if order.claim:
        yield Finding("P4", f"{name} still bears a claim")
    if order.status == Status.PLACED:
        yield Finding("P1", f"{name} is still PLACED: neither routed nor parked")
    elif order.status == Status.PENDING_ROUTE and not order.needs_review:
        yield Finding("P1", f"{name} still waits to be routed, and not for a person")
    elif order.status == Status.PENDING_ROUTE and router_was_well:
        yield Finding("P1", f"{name} waits for a person, though the router was well")


def _events(order: BookOrder, events: Sequence[BookEvent]) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    numbers = [event.sequence for event in events]
    if numbers != list(range(1, len(events) + 1)):
        yield Finding("P6", f"the events of {name} are numbered {_shown(numbers)}, not from 1 without a gap")
    if order.version != max(numbers, default=0):
        yield Finding(
            "P6", f"{name} has version {order.version}, its last event is {max(numbers, default=0)}"
        )
    for event in events:
        if not event.actor:
            yield Finding("P6", f"event {event.sequence} of {name} does not say who")
    yield from _states(order, [event.event for event in events if event.event in _STATES])
    yield from _reviews(order, [event.event for event in events if event.event not in _STATES])


def _states(order: BookOrder, states: Sequence[str]) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    if not states or states[0] != Status.PLACED:
        yield Finding("P6", f"the first event of {name} is not PLACED")
    for before, after in pairwise(states):
        if not may_become(Status(before), Status(after)):
            yield Finding("P6", f"{name} went from {before} to {after}, say its events")
    if states and states[-1] != order.status:
        yield Finding("P6", f"{name} is {order.status}, its events say {states[-1]}")


def _reviews(order: BookOrder, reviews: Sequence[str]) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    if any(before == after for before, after in pairwise(reviews)):
        yield Finding("P6", f"a review of {name} was asked for or cleared twice in a row")
    asked = bool(reviews) and reviews[-1] == Event.REVIEW_REQUIRED
    if asked != order.needs_review:
        which = "waits" if order.needs_review else "does not wait"
        yield Finding("P6", f"{name} {which} for a person, its events say otherwise")


def _routes(order: BookOrder, routes: Sequence[BookRoute]) -> Iterator[Finding]:
    name = f"order {order.order_id}"
    numbers = [route.attempt for route in routes]
    if numbers != list(range(1, len(routes) + 1)):
        yield Finding(
            "P4", f"the attempts of {name} are numbered {_shown(numbers)}, not from 1 without a gap"
        )
    if len(routes) != order.attempts:
        yield Finding("P4", f"{name} counts {order.attempts} attempts and has {len(routes)}")
    decided = [route.route for route in routes if route.outcome in DECIDED]
    if len(decided) > 1:
        yield Finding("P4", f"{name} has {len(decided)} accepted routes: {', '.join(map(str, decided))}")
    if order.status in _WITH_ROUTE and order.route not in decided:
        yield Finding("P4", f"{name} is {order.status} by {order.route}, which no attempt accepted")
    if order.status in _WITHOUT_ROUTE and decided:
        yield Finding("P4", f"{name} is {order.status} and has the accepted route {decided[0]}")


def _shown(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
