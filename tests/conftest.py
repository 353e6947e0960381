"""Fixtures for all tests: databases and servers, real ones, private to the run (see `tests.servers`)."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import override_settings

from order_entry_project import redaction
from orders import logins
from orders.api import rates, throttles
from orders.api.rates import Turns
from tests.servers.asking import ask, needed_module
from tests.servers.postgres import TEMPLATE, Database, fresh_database
from tests.servers.rabbitmq import Broker
from tests.servers.redis import Redis
from tests.servers.strict_peer import StrictPeer

# Each run tries others: what many runs try in all is what counts.
hypothesis.settings.register_profile("everyday", max_examples=40)
hypothesis.settings.load_profile("everyday")

_CONFIG = settings.CONFIG
_BEFORE = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-seed", type=int, help="repeats the faults and messages of a chaos run")
    parser.addoption("--chaos-amqp10", action="store_true", help="the long chaos run speaks AMQP 1.0")
    parser.addoption("--pictures", help="the folder for the pictures of the console's documentation")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: last, it would keep one worker waiting for the other."""
    items.sort(key=lambda item: "tests/chaos/" not in item.nodeid)


def _shared() -> dict[str, Any]:
    """What all tests of a process share: each module leaves it as it was."""
    loggers = [None, *settings.LOGGING["loggers"]]
    return {
        "settings.CONFIG": id(settings.CONFIG),
        "os.environ": {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "signal handlers": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)],
        "levels of loggers": {name: logging.getLogger(name).level for name in loggers},
    }


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_BEFORE] = _shared()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Of a module that leaves something of that behind, it is this one that fails, not a later one."""
    done = yield
    if nextitem is None or nextitem.path != item.path:
        before, after = item.config.stash[_BEFORE], _shared()
        settings.CONFIG = _CONFIG
        item.config.stash[_BEFORE] = _shared()
        changed = [name for name, value in before.items() if after[name] != value]
        assert changed == [], "not what they were before the tests of this module"
    return done


@pytest.fixture(scope="session")
def postgresql() -> str:
    """The folder of the run's PostgreSQL socket."""
    return str(ask("postgresql"))


@pytest.fixture
def database(postgresql: str, django_db_setup: None) -> Iterator[Database]:
    """A fresh migrated database.

    Django's own test database is set up before: a test may point Django's connection here, and what is set up
    meanwhile would take this name for its own.
    """
    with fresh_database(postgresql) as made:
        yield made


@pytest.fixture(scope="session")
def rabbitmq() -> Broker:
    """The run's RabbitMQ."""
    return Broker(**ask("rabbitmq"))


@pytest.fixture(scope="session")
def amqp10_package() -> None:
    """What the service needs to speak AMQP 1.0."""
    needed_module("proton", by="make install-amqp10")


@pytest.fixture(scope="session")
def strict_peer(amqp10_package: None) -> StrictPeer:
    """The run's strict AMQP 1.0 broker."""
    return StrictPeer(**ask("strict peer"))


@pytest.fixture(scope="session")
def redis_server() -> Redis:
    """The run's Redis."""
    return Redis(**ask("redis"))


@pytest.fixture(autouse=True)
def _secrets_are_forgotten() -> Iterator[None]:
    """Those that a test has this process know: no later text may miss them."""
    names = ("_configured", "_learned", "_written")
    known = [getattr(redaction, name) for name in names]
    yield
    for name, value in zip(names, known, strict=True):
        setattr(redaction, name, value)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`configure("section", key=value)`: the configuration with these keys, for one test."""

    def change(section: str, **keys: Any) -> None:
        before = getattr(settings.CONFIG, section)
        changed = type(before).model_validate(before.model_dump() | keys)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={section: changed}))

    return change


@pytest.fixture
def nobody_has_called_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's limits as in a process that has just begun."""
    # For the limits time stands still: on a slow machine a turn would come back before the test has used up all.
    now = time.monotonic()
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: now))
    for module, name in (
        (throttles, "_addresses"),
        (throttles, "_callers"),
        (throttles, "_creations"),
        (logins, "_failures"),
    ):
        monkeypatch.setattr(module, name, Turns())


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: str, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Django's test database, too, is a copy of the migrated one."""
    settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = TEMPLATE


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_fast() -> Iterator[None]:
    """A quarter of a second for each log-in would be most of what a test of the console takes."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_append_only_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """TransactionTestCase empties all tables; the trigger on order_events refuses that to anyone else."""

    def sql_flush(self: DatabaseOperations, style: Any, tables: Sequence[str], **_: Any) -> list[str]:
        # The few rows of a test are sooner deleted than so many tables are truncated.
        rows = [f"DELETE FROM {self.quote_name(table)}" for table in tables]  # noqa: S608 - our own names
        return ["SET LOCAL session_replication_role = replica", *rows]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield
