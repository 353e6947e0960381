"""What has waited too long is found, and how long it has."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from orders import stale, status_cache
from orders.lifecycle import Status
from orders.models import Order, StoreRecord
from orders.stores.port import Record
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.runbook import run, using


def ago(**span):
    return datetime.now(UTC) - timedelta(**span)


def waiting(*arguments, code=1):
    answer = run("stale_orders", "--json", *arguments)
    assert answer.code == code, answer.errors
    return [(order["orderId"], order["waits_for"]) for order in answer.json["orders"]]


def test_nothing_waits_in_an_empty_book(each_store):
    answer = run("stale_orders")
    assert (answer.code, answer.text, answer.errors) == (0, "No order waits too long.\n", "")


def test_each_way_of_waiting_is_told_the_longest_first(db):
    order_in_book("FORGOTTEN", placed_at=ago(hours=5))
    order_in_book("CALLED", placed_at=ago(hours=4), **claimed())
    due = ago(minutes=1)
    order_in_book("PARKED", placed_at=ago(hours=3), status=Status.PENDING_ROUTE, due_at=due)
    parked_order("REVIEW", placed_at=ago(hours=9), updated_at=ago(hours=2))
    routed_order("CONFLICT", needs_review=True, review_reason="other content", updated_at=ago(hours=1))

    found = waiting()
    assert [order_id for order_id, _ in found] == ["FORGOTTEN", "CALLED", "PARKED", "REVIEW", "CONFLICT"]
    reasons = dict(found)
    assert reasons["FORGOTTEN"] == "a consumer"
    assert reasons["CALLED"].startswith("the router, at most until 20")
    assert reasons["PARKED"].startswith("another try, due 20")
    assert reasons["REVIEW"] == "a person: the router refused it"
    assert reasons["CONFLICT"] == "a person: other content"


def test_what_is_routed_executed_canceled_or_young_does_not_wait(db):
    routed_order("A", placed_at=ago(days=9), updated_at=ago(days=9))
    routed_order("B", placed_at=ago(days=9), updated_at=ago(days=9), status=Status.EXECUTED)
    order_in_book("C", placed_at=ago(days=9), updated_at=ago(days=9), status=Status.CANCELED)
    order_in_book("D", placed_at=ago(minutes=9))
    parked_order("E", placed_at=ago(days=9), updated_at=ago(minutes=9))
    assert waiting(code=0) == []


@pytest.mark.parametrize(("older_than", "found"), [("30s", ["A", "B"]), ("2m", ["A"]), ("1.5h", [])])
def test_what_is_too_long_is_for_the_operator_to_say(db, older_than, found):
    order_in_book("A", placed_at=ago(minutes=10))
    order_in_book("B", placed_at=ago(minutes=1))
    assert [order_id for order_id, _ in waiting("--older-than", older_than, code=1 if found else 0)] == found


def test_the_list_is_limited_and_the_number_is_not(db):
    for number in range(5):
        order_in_book(f"ORD-{number}", placed_at=ago(hours=9 - number))
    answer = run("stale_orders", "--limit", "2")
    assert [line[0] for line in answer.lines[1:]] == ["ORD-0", "ORD-1"]
    assert "Orders that wait longer than 10:00: 5 (2 of them listed)" in answer.errors


def test_ages_are_shown_to_the_second(db):
    order_in_book("A", placed_at=ago(hours=2, seconds=7))
    answer = run("stale_orders")
    assert "2:00:07" in answer.text or "2:00:08" in answer.text


def test_a_record_that_outlived_its_life_is_found(each_store):
    """It was written 31 days ago and is still served: a store that does not expire what is over."""
    cache = status_cache.from_settings()
    for order_id, written in (("OVERDUE", ago(days=31)), ("REFILLED", ago(days=2))):
        order = routed_order(order_id, created_at=ago(days=40))
        record = cache.record_of(order)
        bins = record.bins | {"written_at": int(written.timestamp())}
        cache.store.write([Record(record.key, bins, record.version, None)])
    routed_order("EXPIRED", created_at=ago(days=40))

    answer = run("stale_orders", "--json")
    assert answer.code == 1
    assert [record["key"] for record in answer.json["overdue_records"]] == [cache.key("OVERDUE")]
    assert "Records that should have expired: 1" in answer.errors


def test_a_record_that_nobody_deleted_after_its_end_is_counted(db):
    routed_order()
    for key, end in (("a", ago(hours=2)), ("b", ago(minutes=2)), ("c", ago(hours=-2)), ("d", None)):
        StoreRecord.objects.create(key=key, bins={}, expires_at=end)
    answer = run("stale_orders", "--json")
    assert (answer.code, answer.json["undeleted_records"]) == (1, 1)
    assert "Expired records that still lie in store_records: 1" in answer.errors


def test_the_embedded_stores_leftovers_are_nobodys_where_it_is_not_in_use(transactional_db, redis_server):
    StoreRecord.objects.create(key="a", bins={}, expires_at=ago(days=2))
    with using("redis", redis_port=redis_server.port):
        assert run("stale_orders").code == 0


def test_orders_are_listed_although_the_store_is_down(dead_store):
    order_in_book("A", placed_at=ago(hours=1), created_at=ago(days=40))
    answer = run("stale_orders", "--json")
    assert answer.code == 1
    assert [order["orderId"] for order in answer.json["orders"]] == ["A"]
    assert answer.json["store_failure"].startswith("Redis:")
    assert "The store could not be asked: Redis:" in answer.errors


def test_waiting_orders_are_found_by_index_in_a_large_book(db):
    order_in_book("A", placed_at=ago(hours=1))
    parked_order("B", updated_at=ago(hours=1))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (order_id, symbol, side, quantity, price, created_at, message_id, digest, status,"
            " route, routed_at) SELECT 'R' || n, 'AAPL', 'BUY', 1, 1, now(), 'm', '', 'ROUTED', 'NYSE', now()"
            " FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE orders")
        asked = []
        with connection.execute_wrapper(
            lambda run, sql, *rest: asked.append((sql, rest[0])) or run(sql, *rest)
        ):
            found, total = stale.waiting_orders(older_than=timedelta(minutes=10), most=100)
        assert ([one.order.order_id for one in found], total) == (["A", "B"], 2)
        assert len(asked) == 2
        for sql, parameters in asked:
            cursor.execute(f"EXPLAIN {sql}", parameters)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
    assert Order.objects.count() == 20_002
