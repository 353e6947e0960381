"""PostgreSQL for a run, with a migrated database to copy from."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from order_entry_project.embedded.postgres import USER, EmbeddedPostgres

TEMPLATE = "migrated"
_OF_ORDERS = (
    "order_routes",
    "order_events",
    "orders",
    "halts",
    "store_records",
    "queue_messages",
    "rejected_messages",
    "delivery_attempts",
)
_ROOT = Path(__file__).resolve().parents[2]
# The data is not to outlive the run.
_SETTINGS: Mapping[str, str | int] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": 200,
    "log_min_messages": "error",
}


@contextmanager
def template(folder: Path) -> Iterator[str]:
    """A running server; its socket's folder."""
    with EmbeddedPostgres(folder / "pg", settings=_SETTINGS) as server:
        server.create_database(TEMPLATE)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
            cwd=_ROOT,
            env={**os.environ, "ORDER_ENTRY__DATABASE__SQL_DATABASE": TEMPLATE},
            check=True,
        )
        yield str(server.socket)


@dataclass(frozen=True)
class Database:
    """A migrated database of one test. `env`: what makes a child process use it."""

    name: str
    host: str

    @property
    def env(self) -> dict[str, str]:
        return {
            "ORDER_ENTRY__DATABASE__SQL_HOST": self.host,
            "ORDER_ENTRY__DATABASE__SQL_USER": USER,
            "ORDER_ENTRY__DATABASE__SQL_DATABASE": self.name,
        }

    def connect(self) -> psycopg.Connection[Any]:
        """An autocommit connection."""
        return psycopg.connect(host=self.host, user=USER, dbname=self.name, autocommit=True)

    def empty(self) -> None:
        """Forget all orders, messages and records."""
        with self.connect() as connection:
            # The trigger on order_events refuses this to anyone else.
            connection.execute("SET session_replication_role = replica")
            for table in _OF_ORDERS:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


@contextmanager
def fresh_database(host: str) -> Iterator[Database]:
    """A copy of the migrated one."""
    database = Database(name=f"test_{uuid.uuid4().hex}", host=host)
    name = sql.Identifier(database.name)
    with psycopg.connect(host=host, user=USER, dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
        yield database
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
