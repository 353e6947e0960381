"""What preflight says of the stores: a real Redis, the double of Aerospike, the table."""

from __future__ import annotations

import pytest
import redis

from order_entry_project.preflight import stores as checked
from orders.stores import choice
from tests.doubles.aerospike.cluster import Cluster
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _stores_of_the_test_alone():
    choice._shared.cache_clear()
    yield
    choice._shared.cache_clear()


@pytest.fixture
def use(configure):
    def both(cache, marks=None):
        configure("cache", store=cache)
        configure("idempotency", store=marks)

    return both


def test_a_store_that_serves_both_is_asked_once(use, configure, check, redis_server):
    use("redis")
    configure("redis", url=f"redis://127.0.0.1:{redis_server.port}")
    found = check(checked.checks())
    assert found.fine, found
    (finding,) = found.all
    assert finding.found == "cache and idempotency marks: a record that ends is written, read and removed"


def test_two_stores_are_asked_each_for_its_own(book, use, configure, check, redis_server):
    use("redis", "postgresql")
    configure("redis", url=f"redis://127.0.0.1:{redis_server.port}")
    found = check(checked.checks())
    assert found.fine, found
    assert [finding.found.partition(":")[0] for finding in found.all] == ["cache", "idempotency marks"]


def test_nothing_is_left_behind(use, configure, check, redis_server):
    use("redis")
    configure("redis", url=f"redis://127.0.0.1:{redis_server.port}")
    check(checked.checks())
    with redis.Redis(port=redis_server.port) as direct:
        assert list(direct.scan_iter("preflight:*")) == []


def test_a_store_that_is_away_is_a_failure_that_names_where_it_should_be(use, configure, check):
    use("redis")
    configure("redis", url=f"redis://:hunter2@127.0.0.1:{free_port()}")
    failure = check(checked.checks()).failure
    assert (failure.key, "Connection refused" in failure.found) == ("redis.url", True)
    assert "hunter2" not in repr(failure)


def test_a_store_that_answers_but_takes_no_writes_is_found_out(use, configure, check, redis_server):
    use("redis")
    with redis.Redis(port=redis_server.port) as direct:
        direct.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@read"])
        configure("redis", url=f"redis://reader:secret@127.0.0.1:{redis_server.port}")
        try:
            failure = check(checked.checks()).failure
        finally:
            direct.acl_deluser("reader")
    assert "no permissions" in failure.found.lower()


@pytest.fixture
def cluster(use, configure):
    with Cluster.running() as running:
        use("aerospike")
        configure(
            "aerospike", seed_hosts=[f"127.0.0.1:{running.nodes[0].port}"], replication_factor=1, timeout=2.0
        )
        yield running


def test_aerospike_set_up_as_it_must_be_has_nothing_against_it(cluster, check):
    assert check(checked.checks()).fine


def test_a_seed_that_is_away_is_named_though_the_others_serve(cluster, check, configure):
    away = f"127.0.0.1:{free_port()}"
    configure("aerospike", seed_hosts=[f"127.0.0.1:{cluster.nodes[0].port}", away])
    found = check(checked.checks())
    assert f"{away} cannot be reached" in found.failure.found
    assert "is written, read and removed" in repr(found)


def test_fewer_copies_than_configured_are_a_warning(cluster, check, configure):
    configure("aerospike", replication_factor=2)
    warning = check(checked.checks()).warning
    assert (warning.key, "keeps 1 copies, configured are 2" in warning.found) == (
        "aerospike.seed_hosts",
        True,
    )


def test_a_namespace_without_ends_is_a_failure_with_its_cause(cluster, check):
    cluster.records.nsup_period = 0
    found = check(checked.checks())
    assert [finding.level for finding in found.all] == ["ok", "warning", "failed"]
    assert "nsup-period of orders_ns is 0" in repr(found)


def test_a_table_that_is_not_there_yet_is_a_failure_in_one_line(book, use, check):
    use("postgresql")
    with book.connect() as connection:
        connection.execute("DROP TABLE store_records")
    failure = check(checked.checks()).failure
    assert failure.found.endswith('relation "store_records" does not exist')
