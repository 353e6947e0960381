"""`bench`: each kind of store in turn; `outage`: each that stands on a network, for a test to harm."""

import pytest
from django.db import connections

from tests.integration.orders.stores.benches import PostgresBench, RedisBench, private_redis
from tests.integration.orders.stores.black_hole import black_hole


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


@pytest.fixture(params=["postgres_bench", "redis_bench"])
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


@pytest.fixture(params=["redis_outage"])
def outage(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def unreachable(outage):
    with black_hole() as port:
        store = outage.open(0.6, port=port)
        yield store
        store.close()
