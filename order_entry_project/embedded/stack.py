"""The embedded stack: PostgreSQL, a simulated registry and router, and the configuration that names them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from order_entry_project.config import BASE_DIR, ENV_PREFIX, Mq, ServiceRegistry
from order_entry_project.embedded.files import kept_secret, write_private
from order_entry_project.embedded.postgres import EmbeddedPostgres
from order_entry_project.embedded.processes import Child
from order_entry_project.embedded.simulators import simulators

_TICK = 0.05


class Stack:
    """A running stack: the processes on it, and the environment that makes a process use it.

    Kept in `folder`: PostgreSQL's data, the configuration, the logs.
    """

    def __init__(self, *, folder: Path, server: EmbeddedPostgres, database: str) -> None:
        self.folder = folder
        self.server = server
        self.database = database
        self.config = folder / "order-entry.yaml"
        self._settings: dict[str, dict[str, Any]] = {
            "mq": {
                "broker_url": "postgresql://",
                "consumer_queue": Mq().consumer_queue,
                "producer_queue": Mq().producer_queue,
            },
            "database": {
                "sql_host": str(server.socket),
                "sql_port": 5432,
                "sql_database": database,
                "sql_user": server.user,
                "credentials_source": "environment",
            },
            "cache": {"store": "postgresql"},
            "idempotency": {"store": "postgresql"},
            "api": {"secret_key": kept_secret(folder / "secret-key")},
        }
        self._services: list[Child] = []

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, less what names another stack, plus the configuration of this one."""
        decided = {
            f"{ENV_PREFIX}{section}__{key}".upper()
            for section, keys in self._settings.items()
            for key in keys
        }
        outside = {name: value for name, value in os.environ.items() if name.upper() not in decided}
        return {**outside, "ORDER_ENTRY_CONFIG": str(self.config)}

    def configure(self, section: str, **keys: object) -> None:
        """Set keys of the configuration file, where `config.load` finds it while the stack runs."""
        self._settings.setdefault(section, {}).update(keys)
        write_private(self.config, yaml.safe_dump(self._settings, sort_keys=False))

    def forget(self) -> None:
        """Remove the configuration file: nothing answers there any more."""
        self.config.unlink(missing_ok=True)

    def connect(self) -> psycopg.Connection[Any]:
        """An autocommit connection to the order book."""
        return self.server.connect(self.database)

    @contextmanager
    def service(self, name: str, *argv: str | Path) -> Iterator[Child]:
        """`python ARGV` (default: `manage.py NAME`) for the length of the block, watched by `check`."""
        with Child.running(
            [sys.executable, *(argv or ("manage.py", name))],
            name=name,
            log=self._log(name),
            folder=BASE_DIR,
            env=self.env,
        ) as child:
            self._services.append(child)
            try:
                yield child
            finally:
                self._services.remove(child)

    def manage(
        self,
        name: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        while_waiting: Callable[[], None] | None = None,
    ) -> str:
        """The stdout of `manage.py NAME ARGUMENTS`. Raises `EmbeddedError` if it or a service fails."""
        output = self.folder / "logs" / f"{name}.out"
        output.unlink(missing_ok=True)
        with Child.running(
            [sys.executable, "manage.py", name, *arguments],
            name=name,
            log=self._log(name),
            output=output,
            folder=BASE_DIR,
            env={**self.env, **(env or {})},
        ) as child:
            while not child.finished():
                self.check()
                if while_waiting:
                    while_waiting()
                time.sleep(_TICK)
        return output.read_text()

    def check(self) -> None:
        """Raise `EmbeddedError` if a service has ended."""
        for child in self._services:
            child.check()

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


@contextmanager
def embedded_stack(
    *, folder: Path, database: str, fresh: bool = False, say: Callable[[str], None]
) -> Iterator[Stack]:
    """The stack in `folder`, its order book in `database`, migrated; `fresh`: and empty.

    `say` is told each step. Raises `EmbeddedError`.
    """
    folder = folder.resolve()
    with ExitStack() as running:
        say("Starting PostgreSQL")
        server = running.enter_context(EmbeddedPostgres(folder / "postgresql"))
        if fresh:
            server.drop_database(database)
        server.create_database(database)
        for old in ("logs", "ports"):
            _empty(folder / old)
        stack = Stack(folder=folder, server=server, database=database)
        running.callback(stack.forget)
        stack.configure("service_registry", router_service=ServiceRegistry().router_service)
        say("Starting the simulated router and registry")
        neighbours = running.enter_context(simulators(folder / "ports", stack.service))
        stack.configure("service_registry", endpoint=neighbours.registry)
        say("Preparing the database")
        stack.manage("migrate", "--skip-checks", "--verbosity=0")
        yield stack


def _empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
