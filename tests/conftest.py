"""Fixtures for all tests: databases and servers, real ones, private to the run (see `tests.servers`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations
from psycopg import sql

from order_entry_project.embedded.postgres import USER
from tests.servers.asking import ask
from tests.servers.postgres import TEMPLATE, Database
from tests.servers.rabbitmq import Broker
from tests.servers.redis import Redis


@pytest.fixture(scope="session")
def postgresql() -> str:
    """The folder of the run's PostgreSQL socket."""
    return str(ask("postgresql"))


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    """A fresh migrated database."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex}")
    with psycopg.connect(host=postgresql, user=USER, dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
        yield Database(name=name._obj[0], host=postgresql)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def rabbitmq() -> Broker:
    """The run's RabbitMQ."""
    return Broker(**ask("rabbitmq"))


@pytest.fixture(scope="session")
def redis_server() -> Redis:
    """The run's Redis."""
    return Redis(**ask("redis"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: str, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Django's test database, too, is a copy of the migrated one."""
    settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = TEMPLATE


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_append_only_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """TransactionTestCase empties all tables; the trigger on order_events refuses that to anyone else."""
    original = DatabaseOperations.sql_flush

    def sql_flush(self: DatabaseOperations, style: Any, tables: Any, **options: Any) -> list[str]:
        return ["SET LOCAL session_replication_role = replica", *original(self, style, tables, **options)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield
