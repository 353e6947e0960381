"""What every store promises, over each of them."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from orders.stores.port import Record
from tests.integration.orders.stores.benches import DAY, PostgresBench, new_key, record
from tests.integration.orders.stores.conftest import BENCHES, REAL_AEROSPIKE
from tests.waiting import wait_until


def test_a_real_aerospike_server_keeps_the_contract_too():
    if not REAL_AEROSPIKE:
        pytest.skip("AEROSPIKE_TEST_HOSTS names no server: the double alone stands for Aerospike")
    assert "aerospike_bench" in BENCHES


def versions(store, *keys):
    found = store.read(keys)
    return [int(found[key]["version"]) for key in keys]


def test_what_was_written_is_read_back_as_text_with_its_version(store):
    key = new_key()
    bins = {
        "value": '{"orderId":"ORD-1","price":145.50}',
        "status": "ROUTED",
        "symbol": "700",
        "counterparty": "",
        "created_at": "2026-02-14T10:30:45Z",
        "routed_at": None,
        "written_at": 1_771_065_045,
    }
    store.write([Record(key, bins, 3, 30 * DAY)])
    assert store.read([key]) == {
        key: {
            "value": '{"orderId":"ORD-1","price":145.50}',
            "status": "ROUTED",
            "symbol": "700",
            "counterparty": "",
            "created_at": "2026-02-14T10:30:45Z",
            "written_at": "1771065045",
            "version": "3",
        }
    }


@pytest.mark.parametrize(
    "text", ["Grüße, Жанна 漢字 🐉", "a\nb\t\"c\" \\ 'd'", " ", "\u200e\u0301", "x" * 200_000]
)
def test_text_of_any_kind_and_length_comes_back_as_it_was(store, text):
    key = f"{new_key()}.ключ"
    store.write([record(key, value=text)])
    assert store.read([key])[key]["value"] == text


def test_what_was_never_written_is_not_there(store):
    key = new_key()
    store.write([record(key)])
    assert list(store.read([new_key(), key, new_key()])) == [key]
    assert store.read([new_key()]) == {}


def test_nothing_to_do_is_done(store):
    store.write([])
    store.remove([])
    assert store.read([]) == {}


def test_a_newer_version_replaces_the_record_whole(store):
    key = new_key()
    store.write([record(key, 1, status="PENDING_ROUTE", counterparty="ACME")])
    store.write([record(key, 2, status="ROUTED", routed_at="now")])
    assert store.read([key])[key] == {"status": "ROUTED", "routed_at": "now", "version": "2"}


def test_an_older_version_never_overwrites_a_newer_one_and_is_no_failure(store):
    old, new, missing = new_key(), new_key(), new_key()
    store.write([record(old, 5, status="ROUTED"), record(new, 5)])
    store.write([record(old, 4, status="PLACED"), record(new, 6), record(missing, 1)])
    assert versions(store, old, new, missing) == [5, 6, 1]
    assert store.read([old])[old]["status"] == "ROUTED"


def test_an_equal_version_rewrites(store):
    key = new_key()
    store.write([record(key, 0, status="PLACED")])
    store.write([record(key, 0, status="again")])
    assert store.read([key])[key] == {"status": "again", "version": "0"}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_of_one_key_several_times_in_a_batch_the_newest_stays(store, order):
    key = new_key()
    store.write([record(key, version, status=str(version)) for version in order])
    assert store.read([key])[key] == {"status": "3", "version": "3"}


def test_of_equal_versions_in_a_batch_the_last_stays(store):
    key = new_key()
    store.write([record(key, 1, status="first"), record(key, 1, status="last")])
    assert store.read([key])[key]["status"] == "last"


def test_versions_may_be_as_large_as_microseconds_since_1970(store):
    key = new_key()
    store.write([record(key, 1_771_065_045_000_002)])
    store.write([record(key, 1_771_065_045_000_001)])
    assert versions(store, key) == [1_771_065_045_000_002]


def test_of_versions_raced_by_several_processes_the_newest_stays(bench, store):
    newest, keys = 60, [new_key() for _ in range(5)]
    subprocess.run(
        [sys.executable, "-m", "tests.integration.orders.stores.racer", "4", str(newest), *keys],
        env={**os.environ, **bench.env},
        check=True,
        timeout=60,
    )
    found = store.read(keys)
    assert [found[key]["version"] for key in keys] == [str(newest)] * 5
    assert all(found[key]["status"].startswith(f"{newest} by ") for key in keys)


@pytest.mark.parametrize("ttl", [30 * DAY, DAY, None], ids=["30 days", "24 hours", "for ever"])
def test_the_server_knows_how_long_a_record_lives(bench, store, ttl):
    key = new_key()
    store.write([record(key, ttl=ttl)])
    left = bench.seconds_left(key)
    assert left is None if ttl is None else ttl - 10 < left <= ttl


def test_records_of_one_batch_live_as_long_as_each_says(bench, store):
    status, mark, offset = new_key(), new_key("idempotency"), new_key("consumerOffset")
    store.write([record(status, ttl=30 * DAY), record(mark, 0, ttl=DAY), record(offset, ttl=None)])
    assert round(bench.seconds_left(status) / DAY) == 30
    assert round(bench.seconds_left(mark) / DAY) == 1
    assert bench.seconds_left(offset) is None


@pytest.mark.parametrize(("first", "then"), [(DAY, None), (None, DAY)])
def test_a_rewrite_begins_its_life_anew(bench, store, first, then):
    key = new_key()
    store.write([record(key, 1, ttl=first)])
    store.write([record(key, 2, ttl=then)])
    assert bench.seconds_left(key) == (pytest.approx(then, abs=10) if then else None)


def test_an_expired_record_is_gone_and_hinders_no_older_version(store):
    brief, lasting = new_key(), new_key()
    store.write([record(brief, 9, ttl=1), record(lasting, 9)])
    assert versions(store, brief, lasting) == [9, 9]
    wait_until(
        lambda: brief not in store.read([brief, lasting]), what="the brief one has expired", patience=10
    )
    assert list(store.read([brief, lasting])) == [lasting]
    store.write([record(brief, 1)])
    assert versions(store, brief) == [1]


def test_a_batch_of_thousands_is_written_and_read_whole(bench):
    store = bench.open(timeout=10)
    keys = [new_key() for _ in range(5000)]
    store.write([record(key, number, value="x" * 300) for number, key in enumerate(keys)])
    assert versions(store, *keys) == list(range(5000))
    store.remove(keys)
    assert store.read(keys) == {}
    store.close()


def test_what_is_removed_is_gone_and_may_be_written_anew(store):
    key, other = new_key(), new_key()
    store.write([record(key, 7), record(other, 7)])
    store.remove([key, new_key()])
    assert list(store.read([key, other])) == [other]
    store.write([record(key, 1)])
    assert versions(store, key) == [1]


def test_removing_what_is_not_there_is_no_failure(store):
    store.remove([new_key(), new_key()])
    assert store.read([new_key()]) == {}


def test_a_store_that_is_set_up_well_answers_and_has_nothing_to_say(store):
    store.ping()
    assert store.check() == []


def test_a_store_that_was_closed_connects_again_when_used(store):
    key = new_key()
    store.write([record(key)])
    store.close()
    assert list(store.read([key])) == [key]


def test_threads_may_share_a_store(bench):
    if isinstance(bench, PostgresBench):
        pytest.skip("its connection is its thread's own")
    store, keys = bench.open(), [new_key() for _ in range(8)]

    def write_and_read(key):
        for version in range(1, 20):
            store.write([record(key, version)])
            assert versions(store, key) == [version]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write_and_read, keys))
    assert versions(store, *keys) == [19] * 8
    store.close()
