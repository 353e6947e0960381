"""Where an order's time went."""

from datetime import UTC, datetime, timedelta

from orders.models import Order
from routing import ledger
from routing.ledger import Ledger
from routing.models import OrderRoute

PLACED_AT = datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)


def route(**changes):
    fields = {
        "order": Order(placed_at=PLACED_AT),
        "stages_ms": [0.5, 0.25, 2.0, 1.0, 3.0],
        "latency_ms": 10.0,
        "decided_at": PLACED_AT + timedelta(milliseconds=20),
        "published_at": PLACED_AT + timedelta(milliseconds=25),
    }
    return OrderRoute(**fields | changes)


def test_the_stages_from_placing_to_writing_the_route_add_up_to_the_books_own_times():
    spent = ledger.stages(route())
    assert sum(ms for _, ms in spent[2:7]) == 20
    assert spent[6] == ("waiting to be written", 4.0)
    assert spent[7] == ("writing the route, publishing", 5.0)


def test_an_order_that_is_not_published_yet_has_no_time_of_that():
    assert len(ledger.stages(route(published_at=None))) == 7


def test_an_order_that_was_not_routed_in_one_go_has_no_ledger():
    assert ledger.stages(route(stages_ms=None)) == []


def test_what_is_noted_is_an_array_as_postgresql_reads_it():
    assert Ledger(0.5, 0.25, 2.0, 1.0, ready=7.0).text(7.003) == "{0.500,0.250,2.000,1.000,3.000}"
