"""An owner of the tables and a run-time role of the test's own: roles belong to the whole server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from order_entry_project import roles
from order_entry_project.embedded.postgres import USER
from tests.servers.postgres import Database


@dataclass(frozen=True)
class Roles:
    database: Database
    owner: str
    runtime: str

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """An autocommit connection."""
        return psycopg.connect(host=self.database.host, user=role, dbname=self.database.name, autocommit=True)


@contextmanager
def two_roles(database: Database) -> Iterator[Roles]:
    tag = uuid4().hex[:8]
    made = Roles(database, f"owns_{tag}", f"runs_{tag}")
    with database.connect() as superuser:
        superuser.execute(roles.script(owner=made.owner, runtime=made.runtime))
        yield made
        for role in map(sql.Identifier, (made.runtime, made.owner)):
            superuser.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(role, sql.Identifier(USER)))
            superuser.execute(sql.SQL("DROP OWNED BY {}").format(role))
            superuser.execute(sql.SQL("DROP ROLE {}").format(role))
