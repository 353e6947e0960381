"""Limits as the dispatcher keeps them: over the book, with what it remembers."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from orders import book
from orders.models import Order
from routing import claims, decisions, manual
from routing.limits import Limits
from routing.screening import Screening
from tests.book_rows import order_in_book, routed_order
from tests.builders import arrival
from tests.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)

MOVE = Limits(max_price_move=Decimal(10))


class Counting:
    """SQL that counts what it is asked."""

    def __init__(self, sql):
        self._sql = sql
        self.asked = []

    def run(self, statement, parameters):
        self.asked.append(statement.split("*/")[0].strip("/* "))
        return self._sql.run(statement, parameters)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def asked(sql):
    return Counting(sql)


@pytest.fixture
def screening(asked, clock):
    return lambda limits: Screening(asked, limits, clock=clock)


def taken(sql, *arrivals):
    """The orders placed and claimed, as a worker has them."""
    book.place(sql, arrivals, claim=uuid4(), hold=30, actor="placer")
    Order.objects.update(claim=None, claimed_until=None)
    return claims.claim_due(sql, limit=99, hold=30, actor="router")


def ids(works):
    return {work.order.order_id for work in works}


def test_what_is_within_the_limits_costs_no_statement(sql, asked, screening):
    works = taken(sql, arrival("ORD-1"), arrival("ORD-2"))
    admitted, held_back = screening(Limits(max_quantity=Decimal(100))).screened(works)
    assert (ids(admitted), held_back, asked.asked) == ({"ORD-1", "ORD-2"}, [], [])


def test_what_exceeds_one_goes_before_a_person_who_can_let_it_through(sql, screening):
    screen = screening(Limits(max_quantity=Decimal(100)))
    works = taken(sql, arrival("BIG", quantity=500), arrival("SMALL"))
    admitted, held_back = screen.screened(works)
    assert ids(admitted) == {"SMALL"}
    decisions.park(sql, held_back, actor="router")
    order = Order.objects.get(pk="BIG")
    assert (order.status, order.needs_review, order.due_at) == ("PENDING_ROUTE", True, None)
    assert order.review_reason == "its quantity 500 is 500.0% of limits.max_quantity 100"
    assert list(order.events.order_by("sequence").values_list("event", flat=True)) == [
        "PLACED",
        "PENDING_ROUTE",
        "REVIEW_REQUIRED",
    ]

    manual.clear_review("BIG", reason="the client confirms", actor="ann")
    again = claims.claim_due(sql, limit=9, hold=30, actor="router")
    assert ids(screen.screened(again)[0]) == {"BIG"}


def test_an_order_whose_worker_died_before_it_was_looked_at_is_looked_at_all_the_same(sql, screening):
    taken(sql, arrival("BIG", quantity=500))
    Order.objects.update(claimed_until=timezone.now())
    (work,) = claims.claim_due(sql, limit=9, hold=30, actor="router")
    assert (work.expired, work.attempts) == (True, 1)
    assert ids(
        parking.work for parking in screening(Limits(max_quantity=Decimal(1))).screened([work])[1]
    ) == {"BIG"}


class TestLastPrices:
    def test_the_book_is_asked_for_those_that_are_not_known_once_a_batch(self, sql, asked, screening, clock):
        routed_order("R-1", symbol="AAPL", price=Decimal(100))
        order_in_book(
            "NOT-ROUTED", symbol="MSFT", price=Decimal(1), claim=uuid4(), claimed_until=timezone.now()
        )
        Order.objects.filter(pk="NOT-ROUTED").update(status="CANCELED", claim=None, claimed_until=None)
        screen = screening(MOVE)
        works = taken(
            sql,
            arrival("NEAR", price=109),
            arrival("FAR", price=120),
            arrival("LOW", price=80),
            arrival("UNKNOWN", symbol="MSFT", price=9),
        )
        admitted, held_back = screen.screened(works)
        assert ids(admitted) == {"NEAR", "UNKNOWN"}
        assert {parking.work.order.order_id: parking.reason.split(" away")[0] for parking in held_back} == {
            "FAR": "its price 120.00 is 20.0%",
            "LOW": "its price 80.00 is 20.0%",
        }
        assert asked.asked == ["last_prices", "vouched_for"]
        near = [work for work in works if work.order.order_id in ("NEAR", "UNKNOWN")]
        screen.screened(near)
        assert len(asked.asked) == 2
        clock.now += 60
        screen.screened(near)
        assert asked.asked[2:] == ["last_prices"], "of the symbol without a price"

    def test_what_this_process_routes_is_the_last_price(self, sql, asked, screening):
        screen = screening(MOVE)
        first, second = taken(sql, arrival("A", price=100), arrival("B", price=120))
        assert screen.screened([first])[1] == []
        screen.routed([first.order])
        assert ids(parking.work for parking in screen.screened([second])[1]) == {"B"}

    def test_a_price_that_another_process_has_moved_to_is_learned_before_anything_is_held_back(
        self, sql, asked, screening, clock
    ):
        screen = screening(MOVE)
        early, late = taken(sql, arrival("A", price=100), arrival("B", price=120))
        screen.screened([early])
        screen.routed([early.order])
        routed_order("R-1", symbol="AAPL", price=Decimal(119))
        clock.now += 1
        assert ids(screen.screened([late])[0]) == {"B"}

    def test_no_more_symbols_are_kept_in_mind_than_there_is_room_for(
        self, sql, asked, screening, monkeypatch
    ):
        monkeypatch.setattr("routing.screening._MOST_SYMBOLS", 2)
        screen = screening(MOVE)
        works = taken(sql, *(arrival(f"O-{name}", symbol=name) for name in "ABC"))
        screen.routed(work.order for work in works)
        assert list(screen._seen) == ["B", "C"]
