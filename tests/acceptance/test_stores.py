"""The worker and the API with each remote store, which dies under them and comes back."""

import json

import pytest

from orders.stores.aerospike import AerospikeStore
from orders.stores.redis import RedisStore
from tests.acceptance.system import system
from tests.builders import body
from tests.doubles.aerospike.cluster import Cluster
from tests.integration.orders.stores.benches import AerospikeBench, AerospikeOutage, private_redis
from tests.waiting import wait_until


@pytest.fixture
def redis_server_of_its_own(tmp_path):
    with private_redis(tmp_path) as server:
        url = f"redis://127.0.0.1:{server.port}"
        store = RedisStore(url, timeout=2)
        yield server, store, {"CACHE__STORE": "redis", "REDIS__URL": url}
        store.close()


@pytest.fixture
def aerospike_cluster():
    with Cluster.running() as cluster:
        hosts = [f"127.0.0.1:{cluster.nodes[0].port}"]
        store = AerospikeStore(
            AerospikeBench(hosts).addresses, namespace="orders_ns", timeout=2, replication_factor=1
        )
        yield AerospikeOutage(cluster), store, {"AEROSPIKE__SEED_HOSTS": json.dumps(hosts)}
        store.close()


@pytest.fixture(params=["redis_server_of_its_own", pytest.param("aerospike_cluster", marks=pytest.mark.long)])
def remote(request):
    return request.getfixturevalue(request.param)


def orders(count, prefix):
    return [(f"m-{prefix}-{number}", body(f"{prefix}-{number}")) for number in range(count)]


def held(store, prefix, count, kind):
    return store.read([f"{kind}:{prefix}-{number}" for number in range(count)])


def test_orders_and_their_marks_are_in_the_store_and_a_redelivery_is_skipped(remote, database, tmp_path):
    _, store, settings = remote
    with system(database, tmp_path, **settings) as made:
        made.publish(*orders(300, "ORD"))
        assert made.drain()["routed"] == 300
        cached = held(store, "ORD", 300, "orderStatus")
        assert {bins["status"] for bins in cached.values()} == {"ROUTED"}
        assert len(cached) == len(held(store, "ORD", 300, "idempotency")) == 300
        made.publish(*orders(300, "ORD"))
        assert made.drain()["duplicates"] == 300
        assert made.rows("SELECT count(*) FROM store_records") == [(0,)]


@pytest.mark.long
@pytest.mark.parametrize("failure", ["kill", "hang"])
def test_without_the_store_orders_go_their_way_and_it_is_used_again_when_it_is_back(
    remote, database, tmp_path, failure
):
    server, store, settings = remote
    with system(database, tmp_path, **settings) as made:
        worker = made.start("consume_orders")
        made.publish(*orders(50, "BEFORE"))
        wait_until(lambda: made.statuses().get("ROUTED") == 50, what="orders are routed")
        server.kill() if failure == "kill" else server.hang()
        made.publish(*orders(200, "WITHOUT"))
        wait_until(lambda: made.statuses().get("ROUTED") == 250, what="orders are routed without the store")
        server.start() if failure == "kill" else server.go_on()

        def written_again():
            number = made.statuses()["ROUTED"]
            made.publish((f"m-{number}", body(f"AFTER-{number}")))
            wait_until(lambda: made.statuses().get("ROUTED") == number + 1, what="the order is routed")
            return any(store.read([f"orderStatus:AFTER-{n}" for n in range(250, number + 1)]))

        wait_until(written_again, what="the store is written again")
        said = worker.log.read_text()
        assert said.count("store is down") == said.count("store is up again") == 1


def test_a_worker_says_at_its_start_what_is_wrong_with_the_store_s_set_up(database, tmp_path):
    with Cluster.running() as cluster:
        cluster.records.nsup_period = 0
        hosts = json.dumps([f"127.0.0.1:{cluster.nodes[0].port}"])
        with system(database, tmp_path, AEROSPIKE__SEED_HOSTS=hosts) as made:
            worker = made.start("consume_orders")
            made.publish(*orders(20, "ORD"))
            wait_until(lambda: made.statuses() == {"ROUTED": 20}, what="orders are routed all the same")
            assert "nsup-period of orders_ns is 0" in worker.log.read_text()
