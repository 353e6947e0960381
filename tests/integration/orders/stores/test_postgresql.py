"""What is the embedded store's own."""

import time

import pytest

from orders.stores.port import StoreUnavailable
from tests.integration.orders.stores.benches import new_key, record


@pytest.fixture
def store(postgres_bench):
    return postgres_bench.open(timeout=0.5)


def count(postgres_bench):
    return postgres_bench.connection.execute("SELECT count(*) FROM store_records").fetchone()[0]


def test_a_locked_record_is_a_failure_in_time(postgres_bench, store):
    key = new_key()
    store.write([record(key)])
    with postgres_bench.connection.transaction():
        postgres_bench.connection.execute("SELECT FROM store_records FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"lock timeout|statement timeout"):
            store.write([record(key, 2)])
        assert time.monotonic() - began < 1
    store.write([record(key, 2)])
    assert store.read([key])[key]["version"] == "2"


def test_a_connection_ended_by_the_server_is_made_again(postgres_bench, store):
    store.ping()
    postgres_bench.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(StoreUnavailable):
        store.ping()
    store.ping()


def test_a_missing_table_is_a_failure(postgres_bench, store):
    postgres_bench.connection.execute("DROP TABLE store_records")
    with pytest.raises(StoreUnavailable, match="store_records"):
        store.write([record(new_key())])


def test_expired_records_are_removed_a_bounded_number_at_a_time(postgres_bench, store):
    expired = [new_key() for _ in range(5)]
    store.write([record(key) for key in expired] + [record(new_key()), record(new_key(), ttl=None)])
    postgres_bench.connection.execute(
        "UPDATE store_records SET expires_at = now() WHERE key = ANY(%s)", [expired]
    )
    store.remove_expired(limit=3)
    assert count(postgres_bench) == 4
    store.remove_expired(limit=3)
    store.remove_expired(limit=3)
    assert count(postgres_bench) == 2
