from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from django.db import connections

from consumers import amqp_versions
from tests.integration.consumers.bare_worker import BareWorker
from tests.integration.consumers.benches import Bench, amqp_bench, embedded_bench
from tests.servers.postgres import Database, fresh_database
from tests.servers.rabbitmq import Broker

# The others' tests run with the long ones: what is everyday is to take little time.
EVERYDAY = ["quorum", "embedded", "strict peer"]
LONG = ["classic", "AMQP 1.0 at RabbitMQ", "IBM MQ"]


@pytest.fixture(autouse=True)
def _nothing_is_known_of_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another may soon answer at the same port, in the other version of AMQP."""
    monkeypatch.setattr(amqp_versions, "_answered", {})


@pytest.fixture
def worker(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[BareWorker]:
    """With the book of `database`."""
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", database.host)
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", database.name)
    made = BareWorker()
    yield made
    made.close()


@pytest.fixture(params=[*EVERYDAY, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A queue at each kind of broker."""
    with _bench(request.param, request.getfixturevalue) as made:
        yield made


@pytest.fixture(scope="module")
def queues_database(postgresql: str, django_db_setup: None) -> Iterator[Database]:
    """One for all tests of a module: each has a queue of its own in it."""
    with fresh_database(postgresql) as made:
        yield made


def _bench(kind: str, fixture) -> AbstractContextManager[Bench]:
    match kind:
        case "embedded":
            return embedded_bench(fixture("queues_database"))
        case "classic" | "quorum":
            return amqp_bench(fixture("rabbitmq"), kind)
    fixture("amqp10_package")
    from tests.integration.consumers import amqp10_benches

    match kind:
        case "strict peer":
            return amqp10_benches.strict_bench(fixture("strict_peer"))
        case "IBM MQ":
            return amqp10_benches.ibm_mq_bench()
    return amqp10_benches.plugin_bench(fixture("rabbitmq"))


@pytest.fixture
def embedded(database: Database) -> Iterator[Bench]:
    with embedded_bench(database) as bench:
        yield bench


@pytest.fixture
def amqp(rabbitmq: Broker) -> Iterator[Bench]:
    with amqp_bench(rabbitmq, "quorum") as bench:
        yield bench
