"""The configuration names the store, and the API is served out of it without the order book."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from order_entry_project.neighbours import StatusStore
from orders import status_cache
from orders.stores import choice
from orders.stores.choice import open_store
from orders.stores.postgresql import run_in_django
from tests.book_rows import order_in_book
from tests.integration.orders.stores.black_hole import black_hole


@pytest.fixture(autouse=True)
def _each_test_has_stores_of_its_own():
    choice._shared.cache_clear()
    yield
    choice._shared.cache_clear()


@pytest.fixture
def in_redis(configure, redis_bench):
    configure("redis", url=redis_bench.url)
    configure("cache", store="redis")


@pytest.fixture
def in_aerospike(configure, cluster):
    configure("aerospike", seed_hosts=[f"127.0.0.1:{cluster.nodes[0].port}"])
    configure("cache", store="aerospike")
    yield
    open_store("aerospike", run=run_in_django).close()


@pytest.fixture(params=["in_redis", "in_aerospike"])
def remote(request):
    request.getfixturevalue(request.param)
    return settings.CONFIG.cache.store


def test_each_name_opens_its_store_and_remote_ones_are_shared(remote):
    store = open_store(remote, run=run_in_django)
    assert store.name == remote
    assert open_store(remote, run=run_in_django) is store
    assert open_store("postgresql", run=run_in_django).name == "postgresql"


def test_a_store_of_another_name_is_refused():
    with pytest.raises(ImproperlyConfigured, match="'memcached'"):
        open_store("memcached", run=run_in_django)


def test_health_says_once_what_is_wrong_with_the_set_up_of_a_store_that_answers(
    db, in_aerospike, cluster, caplog, monkeypatch
):
    monkeypatch.setattr(StatusStore, "said", set())
    cluster.records.nsup_period = 0
    for _ in range(3):
        StatusStore().run()
    said = [record.message for record in caplog.records if "nsup-period of orders_ns is 0" in record.message]
    assert len(said) == 1


@pytest.fixture
def order(db):
    """One that no other test has: they share a Redis."""
    return order_in_book(f"ORD-{uuid4()}")


class TestApi:
    def test_a_cached_order_is_answered_without_a_query(
        self, remote, order, client, django_assert_num_queries
    ):
        status_cache.from_settings().put(order)
        with django_assert_num_queries(0):
            response = client.get(f"/order/{order.order_id}")
        assert response.status_code == 200
        assert response.json()["orderId"] == order.order_id

    def test_a_miss_costs_one_query_and_refills_the_store(
        self, remote, order, client, django_assert_num_queries
    ):
        status_cache.from_settings().store.remove([status_cache.from_settings().key(order.order_id)])
        with django_assert_num_queries(1):
            from_sql = client.get(f"/order/{order.order_id}").content
        with django_assert_num_queries(0):
            assert client.get(f"/order/{order.order_id}").content == from_sql

    def test_a_record_that_is_none_of_ours_is_a_miss(self, remote, order, client):
        cache = status_cache.from_settings()
        stored = cache.record_of(order)
        cache.store.write([type(stored)(stored.key, {"value": "somebody's"}, 99, None)])
        assert client.get(f"/order/{order.order_id}").json()["status"] == order.status
        cache.store.remove([stored.key])

    @pytest.mark.parametrize("name", ["redis", "aerospike"])
    def test_a_dead_store_is_said_once_and_sql_serves(self, configure, order, client, caplog, name):
        with black_hole() as port:
            configure("redis", url=f"redis://127.0.0.1:{port}")
            configure("aerospike", seed_hosts=[f"127.0.0.1:{port}"])
            configure("cache", store=name)
            for _ in range(5):
                assert client.get(f"/order/{order.order_id}").status_code == 200
            open_store(name, run=run_in_django).close()
        said = [record.getMessage() for record in caplog.records if "store is down" in record.getMessage()]
        assert len(said) == 1
        assert said[0].startswith(f"the {name} store is down, SQL serves meanwhile: ")
