"""`each_store`: a test runs once with each kind of store in use; Aerospike is its double's."""

import pytest

from tests.doubles.aerospike.cluster import Cluster
from tests.ports import free_port
from tests.runbook import using


@pytest.fixture
def in_postgresql():
    with using("postgresql"):
        yield


@pytest.fixture
def in_redis(redis_server):
    with using("redis", redis_port=redis_server.port):
        yield


@pytest.fixture
def in_aerospike():
    with Cluster.running() as cluster:
        hosts = [f"127.0.0.1:{node.port}" for node in cluster.nodes]
        with using("aerospike", seed_hosts=hosts, replication_factor=1, timeout=5.0):
            yield


@pytest.fixture(params=["postgresql", "redis", "aerospike"])
def each_store(request, transactional_db):
    request.getfixturevalue(f"in_{request.param}")
    return request.param


@pytest.fixture
def dead_store(transactional_db):
    """A Redis that refuses every connection."""
    with using("redis", redis_port=free_port()):
        yield
