"""SQL and cache brought together again, whatever drove them apart."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.db import connections

from orders import cache_repair, status_cache
from orders.lifecycle import Status
from orders.models import Order, StoreRecord
from orders.stores.port import Record
from tests.book_rows import order_in_book, parked_order, routed_order
from tests.runbook import run, using


def cache():
    return status_cache.from_settings()


def cached(order, *, version=None, **changes):
    record = cache().record_of(order)
    bins = record.bins | changes
    cache().store.write([Record(record.key, bins, version or record.version, record.ttl)])


def in_cache(order_id):
    return cache().records([order_id]).get(order_id)


def routed_orders(count):
    return [routed_order(f"ORD-{number:03}") for number in range(count)]


def figures(*arguments, code=0):
    answer = run("repair_cache", "--json", *arguments)
    assert answer.code == code, answer.errors
    return {name: answer.json[name] for name in ("compared", "missing", "different", "ahead", "mended")}


def test_what_is_missing_different_or_of_an_older_version_is_written(each_store):
    fine, lost, wrong, old = routed_orders(4)
    cached(fine)
    cached(wrong, value=cache().record_of(wrong).bins["value"].replace("NASDAQ", "NYSE"))
    cached(old, version=1, status="PLACED")

    assert figures() == {"compared": 4, "missing": 1, "different": 2, "ahead": 0, "mended": 3}

    for order in (fine, lost, wrong, old):
        found = in_cache(order.order_id)
        assert '"route":"NASDAQ-EXECUTION-1"' in found["value"]
        assert (found["status"], found["version"]) == ("ROUTED", "2")
    assert figures() == {"compared": 4, "missing": 0, "different": 0, "ahead": 0, "mended": 0}


def test_a_dry_run_says_what_differs_changes_nothing_and_exits_1(each_store):
    lost, wrong = routed_orders(2)
    cached(wrong, symbol="MSFT")

    assert figures("--dry-run", code=1) == {
        "compared": 2,
        "missing": 1,
        "different": 1,
        "ahead": 0,
        "mended": 0,
    }
    assert in_cache(lost.order_id) is None
    assert in_cache(wrong.order_id)["symbol"] == "MSFT"


def test_a_record_from_before_sql_was_restored_gives_way(each_store):
    """Its version is above any that a write could bring for as long as it lives."""
    order = order_in_book()
    cached(order, version=7, status="ROUTED")
    assert figures() == {"compared": 1, "missing": 0, "different": 0, "ahead": 1, "mended": 1}
    assert (in_cache(order.order_id)["status"], in_cache(order.order_id)["version"]) == ("PLACED", "1")


@pytest.mark.parametrize("batch", ["1", "2", "3", "7", "10000"])
def test_every_order_is_compared_once_whatever_the_batch(db, batch):
    routed_orders(7)
    assert figures("--batch", batch) == {
        "compared": 7,
        "missing": 7,
        "different": 0,
        "ahead": 0,
        "mended": 7,
    }


def test_an_empty_book_is_in_order(db):
    assert figures("--dry-run") == dict.fromkeys(["compared", "missing", "different", "ahead", "mended"], 0)


def test_orders_whose_record_may_have_expired_are_not_missed(db):
    routed_order("OLD", updated_at=datetime.now(UTC) - timedelta(days=31))
    routed_order("NEW")
    assert figures()["missing"] == 1


def test_since_confines_it_to_orders_changed_since_then(db):
    now = datetime.now(UTC)
    routed_order("A", updated_at=now - timedelta(hours=3))
    routed_order("B", updated_at=now - timedelta(hours=1))
    assert figures("--since", "2h")["compared"] == 1
    assert figures("--since", (now - timedelta(hours=4)).isoformat())["compared"] == 2
    assert figures("--since", f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}")["compared"] == 0


@pytest.mark.parametrize("since", ["yesterday", "2026-02-14T10:30:00", "99999999999d", ""])
def test_a_since_that_names_no_moment_is_refused(db, since):
    answer = run("repair_cache", "--since", since)
    assert answer.code == 1
    assert "expected 2h, 3d or a time with its zone" in answer.errors


def test_a_store_that_is_down_is_said_with_what_to_do(dead_store):
    routed_order()
    answer = run("repair_cache")
    assert answer.code == 1
    assert "Redis:" in answer.errors
    assert "ask again when it answers" in answer.errors


def test_a_record_that_the_store_refuses_does_not_keep_the_others_from_being_mended(
    redis_server, transactional_db
):
    with using("redis", redis_port=redis_server.port):
        first, blocked, last = routed_orders(3)
        with redis.Redis(port=redis_server.port) as client:
            client.rpush(cache().key(blocked.order_id), "a list")

        answer = run("repair_cache", "--json")

        assert (answer.code, answer.json["mended"], answer.json["refused"]) == (1, 2, 1)
        assert "Records that could not be written: 1. Redis: 1 of 3 not written" in answer.errors
        assert cache().key(blocked.order_id) in answer.errors
        assert in_cache(first.order_id)
        assert in_cache(last.order_id)

        assert run("clear_idempotency", blocked.order_id, "--yes").code == 0
        assert run("repair_cache").code == 0
        assert in_cache(blocked.order_id)


def test_an_order_that_moves_on_between_book_and_cache_is_left_as_its_consumer_wrote_it(
    each_store, monkeypatch
):
    order = order_in_book()
    original = status_cache.StatusCache.records
    moved = []

    def records(self, order_ids):
        if not moved:  # The book has been read; now a consumer routes the order and writes the cache.
            moved.append(True)
            Order.objects.filter(pk=order.pk).update(
                status=Status.ROUTED, route="LSE", routed_at=datetime.now(UTC), version=2
            )
            self.put(Order.objects.get(pk=order.pk))
        return original(self, order_ids)

    monkeypatch.setattr(status_cache.StatusCache, "records", records)
    assert figures() == {"compared": 1, "missing": 0, "different": 0, "ahead": 0, "mended": 0}
    assert (in_cache(order.order_id)["status"], in_cache(order.order_id)["version"]) == ("ROUTED", "2")


def test_while_others_route_orders_it_never_puts_an_older_state_over_a_newer_one(each_store):
    orders = [order_in_book(f"ORD-{number:03}") for number in range(60)]
    stop = threading.Event()

    def keep_repairing():
        while not stop.is_set():
            repaired = cache_repair.repair(
                cache_repair.changed_since(datetime.now(UTC) - timedelta(days=1)),
                batch=7,
                mend=True,
                on_progress=lambda _: None,
            )
            assert repaired.refused == 0
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        repairing = pool.submit(keep_repairing)
        try:
            for order in orders:
                Order.objects.filter(pk=order.pk).update(
                    status=Status.ROUTED, route="LSE", routed_at=datetime.now(UTC), version=2
                )
                cache().put(Order.objects.get(pk=order.pk))
        finally:
            stop.set()
        repairing.result(30)

    found = cache().records([order.order_id for order in orders])
    assert {record["version"] for record in found.values()} == {"2"}
    assert len(found) == 60


def test_nothing_else_in_the_store_is_touched(db):
    routed_order()
    StoreRecord.objects.create(key="idempotency:ORD-20260214-001", bins={"digest": "00"})
    StoreRecord.objects.create(key="consumerOffset:g:q", bins={"offset": "5"})
    parked_order("ORD-2")
    figures()
    assert set(StoreRecord.objects.exclude(key__startswith="orderStatus:").values_list("key", flat=True)) == {
        "idempotency:ORD-20260214-001",
        "consumerOffset:g:q",
    }
