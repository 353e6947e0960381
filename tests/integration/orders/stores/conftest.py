"""`bench`: each kind of store in turn; `outage`: each that stands on a network, for a test to harm."""

import os

import pytest
from django.db import connections

from tests.doubles.aerospike.cluster import Cluster
from tests.integration.orders.stores.benches import (
    AerospikeBench,
    AerospikeOutage,
    PostgresBench,
    RedisBench,
    private_redis,
)
from tests.integration.orders.stores.black_hole import black_hole

# host:port of a real server, several with commas between them; the contract runs over it, too.
REAL_AEROSPIKE = list(filter(None, os.environ.get("AEROSPIKE_TEST_HOSTS", "").split(",")))
BENCHES = ["postgres_bench", "redis_bench", "aerospike_double_bench"]
if REAL_AEROSPIKE:
    BENCHES.append("aerospike_bench")


@pytest.fixture
def postgres_bench(database, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", database.name)
    with database.connect() as connection:
        bench = PostgresBench(connection, database.env)
        yield bench
        bench.close()


@pytest.fixture
def redis_bench(redis_server):
    return RedisBench(redis_server.port, redis_server.pid)


@pytest.fixture
def cluster():
    """A cluster of one node, the double."""
    with Cluster.running() as running:
        yield running


@pytest.fixture
def aerospike_double_bench(cluster):
    return AerospikeBench([f"127.0.0.1:{node.port}" for node in cluster.nodes])


@pytest.fixture
def aerospike_bench():
    return AerospikeBench(REAL_AEROSPIKE, os.environ.get("AEROSPIKE_TEST_NAMESPACE", "orders_ns"))


@pytest.fixture(params=BENCHES)
def bench(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(bench):
    opened = bench.open()
    yield opened
    opened.close()


@pytest.fixture
def redis_outage(tmp_path):
    with private_redis(tmp_path) as server:
        yield server


@pytest.fixture
def aerospike_outage(cluster):
    return AerospikeOutage(cluster)


@pytest.fixture(params=["redis_outage", "aerospike_outage"])
def outage(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def unreachable(outage):
    with black_hole() as port:
        store = outage.open(0.6, port=port)
        yield store
        store.close()
