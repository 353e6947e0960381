from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.consumers.benches import Bench, amqp_bench, embedded_bench
from tests.servers.postgres import Database
from tests.servers.rabbitmq import Broker


@pytest.fixture(params=["classic", "quorum", "embedded"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A queue at each kind of broker."""
    if request.param == "embedded":
        with embedded_bench(request.getfixturevalue("database")) as bench:
            yield bench
    else:
        with amqp_bench(request.getfixturevalue("rabbitmq"), request.param) as bench:
            yield bench


@pytest.fixture
def embedded(database: Database) -> Iterator[Bench]:
    with embedded_bench(database) as bench:
        yield bench


@pytest.fixture
def amqp(rabbitmq: Broker) -> Iterator[Bench]:
    with amqp_bench(rabbitmq, "quorum") as bench:
        yield bench
