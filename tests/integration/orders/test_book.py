"""Orders enter the book once, whoever brings them."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from orders import book
from orders.book import Entry
from orders.models import Order, OrderEvent
from orders.sql import Sql, SqlUnavailable
from tests.builders import arrival, order

pytestmark = pytest.mark.django_db(transaction=True)


def place(sql, *arrivals, claim=None):
    return book.place(sql, arrivals, claim=claim or uuid4(), hold=30, actor="tester")


def events(order_id):
    return list(
        OrderEvent.objects.filter(order_id=order_id)
        .order_by("sequence")
        .values_list("sequence", "event", "actor", "reason")
    )


def test_a_new_order_is_written_with_its_event_and_claim_in_one_statement(sql):
    claim = uuid4()
    placed = place(sql, arrival("ORD-1", price=0.12345, desk="rates"), claim=claim)

    row = Order.objects.get()
    assert list(placed) == ["ORD-1"]
    assert (row.status, row.claim, row.version) == ("PLACED", claim, 1)
    assert row.claimed_until > row.placed_at == placed["ORD-1"].at
    assert (row.price, row.quantity) == (Decimal("0.12345"), Decimal(100))
    assert (row.extra, row.message_id) == ('{"desk":"rates"}', "m-ORD-1")
    assert events("ORD-1") == [(1, "PLACED", "tester", "")]


def test_an_order_placed_twice_is_entered_once_and_the_second_is_not_returned(sql):
    place(sql, arrival("ORD-1"), arrival("ORD-2"))
    second = place(sql, arrival("ORD-2"), arrival("ORD-3"))

    assert list(second) == ["ORD-3"]
    assert Order.objects.count() == 3
    assert events("ORD-2") == [(1, "PLACED", "tester", "")]


def test_two_workers_placing_the_same_batches_in_opposite_orders_enter_each_order_once(transactional_db):
    batches = [
        [arrival(f"ORD-{number}") for number in range(start, start + 50)] for start in range(0, 500, 50)
    ]

    def work(mine):
        sql = Sql(patience=5)
        try:
            return [order_id for batch in mine for order_id in place(sql, *batch)]
        finally:
            sql.close()

    with ThreadPoolExecutor(4) as pool:
        entered = list(
            pool.map(
                work, [batches, batches[::-1], [b[::-1] for b in batches], [b[::-1] for b in batches[::-1]]]
            )
        )

    everything = sorted(order_id for some in entered for order_id in some)
    assert everything == sorted(f"ORD-{number}" for number in range(500))
    assert OrderEvent.objects.count() == 500


def test_an_order_entered_by_hand_is_placed_without_a_claim_for_the_next_sweep(db):
    assert book.enter(order("TEST-001"), message_id="api:1", actor="ann") is Entry.CREATED

    row = Order.objects.get()
    assert (row.status, row.claim, row.digest) == ("PLACED", None, order("TEST-001").digest)
    assert events("TEST-001") == [(1, "PLACED", "ann", "")]


def test_an_order_entered_again_is_known_and_with_other_content_in_conflict(db):
    book.enter(order("TEST-001"), message_id="api:1", actor="ann")

    assert book.enter(order("TEST-001", price=145.50), message_id="api:2", actor="bob") is Entry.KNOWN
    assert book.enter(order("TEST-001", price=145.51), message_id="api:3", actor="bob") is Entry.CONFLICT
    assert len(events("TEST-001")) == 1


def test_an_order_to_be_reviewed_says_why_once(sql):
    place(sql, arrival("ORD-1"), arrival("ORD-2"))
    for reason in ("first reason", "second reason"):
        book.require_review(sql, ["ORD-2", "ORD-404"], reason=reason, actor="tester")

    row = Order.objects.get(pk="ORD-2")
    assert (row.needs_review, row.review_reason, row.version) == (True, "first reason", 2)
    assert events("ORD-2")[1:] == [(2, "REVIEW_REQUIRED", "tester", "first reason")]
    assert Order.objects.get(pk="ORD-1").needs_review is False


def test_a_lost_connection_is_unavailable_and_the_next_statement_connects_again(sql):
    sql.run("SELECT 1", {})
    with pytest.raises(SqlUnavailable, match="57P01"):
        sql.run("SELECT pg_terminate_backend(pg_backend_pid())", {})

    assert sql.run("SELECT 2", {}) == [(2,)]


def test_a_statement_that_takes_too_long_is_unavailable(transactional_db):
    impatient = Sql(patience=0.2)
    with pytest.raises(SqlUnavailable, match="57014"):
        impatient.run("SELECT pg_sleep(10)", {})
    impatient.close()


def test_a_statement_at_fault_is_not_called_unavailable(sql):
    with pytest.raises(psycopg.errors.DivisionByZero):
        sql.run("SELECT 1/0", {})
