"""`each_store`: a test runs once with each kind of store in use."""

import pytest

from tests.ports import free_port
from tests.runbook import using


@pytest.fixture(params=["postgresql", "redis"])
def each_store(request, transactional_db):
    port = request.getfixturevalue("redis_server").port if request.param == "redis" else None
    with using(request.param, redis_port=port):
        yield request.param


@pytest.fixture
def dead_store(transactional_db):
    """A Redis that refuses every connection."""
    with using("redis", redis_port=free_port()):
        yield
