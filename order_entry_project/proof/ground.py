"""Where proofs run: on the configured servers, yet with databases, queues and a router of their own."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests
from django.db import connections
from psycopg import sql

from order_entry_project.config import BASE_DIR, ENV_PREFIX, ServiceRegistry
from order_entry_project.embedded.postgres import EmbeddedPostgres
from order_entry_project.embedded.processes import Child
from order_entry_project.embedded.simulators import simulators

_TICK = 0.02
_ANSWER = 30.0  # seconds


class NoGround(Exception):
    """Proofs cannot be made here; the message says why."""


class Server:
    """A PostgreSQL server; `parameters`: psycopg's, of a connection that may create databases."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def connect(self, database: str | None = None) -> psycopg.Connection[Any]:
        """An autocommit connection. Raises `NoGround`."""
        chosen = {**self._parameters, **({"dbname": database} if database else {})}
        try:
            return psycopg.connect(**chosen, autocommit=True)
        except psycopg.OperationalError as error:
            raise NoGround(f"the database cannot be reached: {error}") from None

    @contextmanager
    def database(self, name: str, template: str = "template1") -> Iterator[None]:
        """A copy of `template`, for the length of the block. Raises `NoGround`."""
        made = sql.Identifier(name)
        with self.connect() as server:
            try:
                server.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, sql.Identifier(template))
                )
            except psycopg.errors.InsufficientPrivilege as error:
                raise NoGround(
                    f"a proof needs a database of its own, and the database user may not create one ({error}). "
                    "Allow it with ALTER ROLE … CREATEDB, or prove on another server."
                ) from None
        try:
            yield
        finally:
            with self.connect() as server:
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(made))


@dataclass(frozen=True)
class Ground:
    """`run`: a name that no other run has; `env`: makes a process use this ground, but for database and queues.

    `template`: a migrated, empty database. `folder`: for logs. `router`: the URL of a simulated one.
    """

    run: str
    server: Server
    template: str
    folder: Path
    env: Mapping[str, str]
    router: str

    def manage(self, log: str, *arguments: str, env: Mapping[str, str]) -> AbstractContextManager[Child]:
        """`manage.py ARGUMENTS`, running for the length of the block."""
        return _python(self.folder / f"{log}.log", {**self.env, **env}, "manage.py", *arguments)

    def executions(self, prefix: str) -> dict[str, int]:
        """How often the router executed each order whose id begins with `prefix`."""
        answer = requests.get(f"{self.router}/executions", timeout=_ANSWER)
        answer.raise_for_status()
        orders: dict[str, dict[str, int]] = answer.json()["orders"]
        return {name: one["executions"] for name, one in orders.items() if name.startswith(prefix)}


@contextmanager
def private_ground(say: Callable[[str], None]) -> Iterator[Ground]:
    """On a PostgreSQL of this run's own, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="order-entry-proof-") as folder:
        say("Starting PostgreSQL")
        # Its data are not to outlive the run.
        with EmbeddedPostgres(Path(folder) / "postgresql", settings={"fsync": "off"}) as server:
            # Nothing but defaults, even if an embedded stack of this checkout is started meanwhile.
            defaults = Path(folder) / "order-entry.yaml"
            defaults.write_text("{}")
            env = {
                "ORDER_ENTRY_CONFIG": str(defaults),
                **environment(database={"sql_host": server.socket, "sql_user": server.user}),
            }
            parameters = {"host": str(server.socket), "user": server.user, "dbname": "postgres"}
            with prepared_ground(say, Server(parameters), Path(folder), env) as ground:
                yield ground


@contextmanager
def configured_ground(say: Callable[[str], None]) -> Iterator[Ground]:
    """On the configured servers. Raises `NoGround`."""
    parameters = connections["default"].get_connection_params()
    for name in ("context", "pool", "cursor_factory"):
        parameters.pop(name, None)
    with (
        tempfile.TemporaryDirectory(prefix="order-entry-proof-") as folder,
        prepared_ground(say, Server(parameters), Path(folder), {}) as ground,
    ):
        yield ground


def environment(**sections: Mapping[str, object]) -> dict[str, str]:
    """Keys of the configuration as variables: `mq={"declare": False}`."""
    return {
        f"{ENV_PREFIX}{section}__{key}".upper(): str(value)
        for section, keys in sections.items()
        for key, value in keys.items()
    }


@contextmanager
def prepared_ground(
    say: Callable[[str], None], server: Server, folder: Path, env: Mapping[str, str]
) -> Iterator[Ground]:
    """On `server`; `env` makes a process use what is configured otherwise than here."""
    run = secrets.token_hex(4)
    template = f"order_entry_proof_{run}"
    outside = {**os.environ, **env}
    ports = folder / "ports"
    ports.mkdir()
    with server.database(template):
        say("Starting a simulated router and registry")

        def start(name: str, *argv: str) -> AbstractContextManager[Child]:
            return _python(folder / f"{name}.log", outside, *argv)

        with simulators(ports, start) as neighbours:
            say("Preparing a database")
            _migrate(folder, {**outside, **environment(database={"sql_database": template})})
            # They speak plainly.
            bare = {"ca_cert": "null", "client_cert": "null", "client_key": "null"}
            plain = ServiceRegistry(endpoint=neighbours.registry).model_dump()
            chosen = environment(
                service_registry={key: "null" if value is None else value for key, value in plain.items()},
                router=bare,
            )
            yield Ground(run, server, template, folder, {**outside, **chosen}, neighbours.router)


def _migrate(folder: Path, env: Mapping[str, str]) -> None:
    argv = ("manage.py", "migrate", "--skip-checks", "--verbosity=0")
    with _python(folder / "migrate.log", env, *argv) as child:
        while not child.finished():
            time.sleep(_TICK)


def _python(log: Path, env: Mapping[str, str], *argv: str) -> AbstractContextManager[Child]:
    return Child.running([sys.executable, *argv], name=log.stem, log=log, folder=BASE_DIR, env=env)
