"""What has happened to an order: its events and its routes."""

from __future__ import annotations

import pytest

from tests.book_rows import order_in_book, parked_order, routed_order
from tests.callers import problem_of

pytestmark = pytest.mark.django_db


def test_events_say_what_happened_in_its_order(as_reader):
    parked_order()
    events = as_reader.get("/order/ORD-20260214-001/events").json()
    assert [(event["sequence"], event["event"]) for event in events] == [
        (1, "PLACED"),
        (2, "PENDING_ROUTE"),
        (3, "REVIEW_REQUIRED"),
    ]
    assert set(events[0]) == {"sequence", "event", "actor", "reason", "at"}


@pytest.mark.parametrize("what", ["events", "routes"])
def test_of_an_unknown_order_there_is_no_history(as_reader, what):
    problem_of(as_reader.get(f"/order/ORD-404/{what}"), 404)


def test_an_order_never_tried_has_no_routes(as_reader):
    order_in_book()
    assert as_reader.get("/order/ORD-20260214-001/routes").json() == []


def test_routes_say_each_attempt_and_decision(as_reader):
    order = routed_order(attempts=2)
    order.routes.create(
        id="11111111-1111-1111-1111-111111111111",
        attempt=2,
        outcome="MANUAL",
        route="NYSE",
        decided_by="anna",
        reason="client asked",
    )
    order.routes.create(
        id="22222222-2222-2222-2222-222222222222",
        attempt=1,
        outcome="UNREACHABLE",
        decided_by="router",
        latency_ms=3.25,
        error="refused",
    )
    first, second = as_reader.get("/order/ORD-20260214-001/routes").json()
    assert (first["attempt"], first["outcome"], first["latency_ms"], first["route"]) == (
        1,
        "UNREACHABLE",
        3.25,
        None,
    )
    assert (second["route"], second["decided_by"], second["reason"]) == ("NYSE", "anna", "client asked")
