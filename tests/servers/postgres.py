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
from tests.checkout import ROOT

TEMPLATE = "migrated"
# Its members, and they alone, are asked for their passwords.
PASSWORD_GROUP = "asked_for_passwords"
_OF_ORDERS = (
    "audit_anchors",
    "order_routes",
    "order_events",
    "orders",
    "halts",
    "store_records",
    "queue_messages",
    "rejected_messages",
    "delivery_attempts",
)
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
    access = folder / "pg_hba.conf"
    access.write_text(f"local all +{PASSWORD_GROUP} scram-sha-256\nlocal all all trust\n")
    with EmbeddedPostgres(folder / "pg", settings={**_SETTINGS, "hba_file": str(access)}) as server:
        with server.connect() as connection:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(PASSWORD_GROUP)))
        server.create_database(TEMPLATE)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
            cwd=ROOT,
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

    @contextmanager
    def role(self, password: str) -> Iterator[Role]:
        """One that is asked for its password, and may do what the owner may."""
        made = Role(f"role_{uuid.uuid4().hex}", self)
        create = "CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}, {}"
        groups = sql.Identifier(USER), sql.Identifier(PASSWORD_GROUP)
        with self.connect() as connection:
            connection.execute(
                sql.SQL(create).format(sql.Identifier(made.name), sql.Literal(password), *groups)
            )
            yield made
            made.disconnect()
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(made.name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(made.name)))

    def empty(self) -> None:
        """Forget all orders, messages and records."""
        with self.connect() as connection:
            # The trigger on order_events refuses this to anyone else.
            connection.execute("SET session_replication_role = replica")
            for table in _OF_ORDERS:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


@dataclass(frozen=True)
class Role:
    name: str
    database: Database

    def change_password(self, password: str) -> None:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(self.name), sql.Literal(password)
        )
        with self.database.connect() as connection:
            connection.execute(statement)

    def disconnect(self) -> int:
        """End its sessions; how many there were."""
        with self.database.connect() as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [self.name]
            )
            return ended.rowcount


@contextmanager
def fresh_database(host: str) -> Iterator[Database]:
    """A copy of the migrated one."""
    database = Database(name=f"test_{uuid.uuid4().hex}", host=host)
    name = sql.Identifier(database.name)
    with psycopg.connect(host=host, user=USER, dbname="postgres", autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
        yield database
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
