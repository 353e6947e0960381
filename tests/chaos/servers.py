"""Servers that a run may harm: its own PostgreSQL and RabbitMQ, on the same socket and port throughout."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from order_entry_project.embedded.postgres import USER, EmbeddedPostgres
from order_entry_project.embedded.processes import Child
from tests.checkout import MANAGE
from tests.servers.binaries import installed
from tests.servers.postgres import Database
from tests.servers.rabbitmq import AMQP10, Broker, broker
from tests.waiting import wait_until

_DATABASE = "chaos"
# The data need not outlive the machine, only the server.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": 60}


class Postgres:
    """A PostgreSQL with a migrated database."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "pg"
        self._server = self._start()
        self._server.create_database(_DATABASE)
        self.database = Database(_DATABASE, str(self._server.socket))

    def migrate(self) -> None:
        subprocess.run(
            [*MANAGE, "migrate", "--verbosity=0", "--skip-checks"],
            env={**os.environ, **self.database.env},
            check=True,
        )

    def crash(self) -> None:
        """Immediate shutdown, as `pg_ctl stop --mode immediate`: nothing is finished, nothing flushed."""
        os.kill(self._server.pid, signal.SIGQUIT)
        self._server.__exit__(None, None, None)

    def start(self) -> None:
        self._server = self._start()

    def pause(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def allow_writes(self, allowed: bool) -> None:
        value = "off" if allowed else "on"
        with psycopg.connect(
            host=self.database.host,
            user=USER,
            dbname="postgres",
            autocommit=True,
            options="-c default_transaction_read_only=off",
        ) as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.go_on()
        self._server.__exit__(None, None, None)

    def _start(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self._data, settings=_SETTINGS).__enter__()

    def _processes(self) -> list[int]:
        """The postmaster first, so that nobody new is missed."""
        postmaster = self._server.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]


class RabbitMQ:
    """A broker that can be killed and started again; `url` stays, and `amqp10_url`, of the other protocol."""

    def __init__(self, made: Broker, folder: Path, stack: ExitStack) -> None:
        self.made = made
        self._pid = made.pid
        self._log = folder / "rabbitmq.log"
        self._stack = stack
        self.url = made.url
        self.amqp10_url = made.amqp10_url

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[RabbitMQ]:
        with ExitStack() as stack:
            yield cls(Broker(**stack.enter_context(broker(folder, plugins=AMQP10))), folder, stack)

    def ctl(self, *arguments: str) -> Child:
        """A `rabbitmqctl` under way."""
        return self._child([installed("rabbitmqctl", package="rabbitmq-server"), "--quiet", *arguments])

    def messages(self, queue: str) -> int:
        """In the queue, delivered ones included."""
        for line in self.made.ctl("list_queues", "name", "messages", "--no-table-headers").splitlines():
            name, count = line.split("\t")
            if name == queue:
                return int(count)
        raise AssertionError(f"the broker has no queue {queue}")

    def pause(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        wait_until(lambda: not self.listening(), what="the broker has ended")

    def start(self) -> None:
        """It listens some seconds later."""
        self._pid = self._child([installed("rabbitmq-server", package="rabbitmq-server")]).pid

    def listening(self) -> bool:
        port = f"{self.made.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(row[1].endswith(f":{port}") and row[3] == "0A" for row in rows)

    def _child(self, argv: list[str]) -> Child:
        return self._stack.enter_context(
            Child.running(
                argv,
                name=Path(argv[0]).name,
                log=self._log,
                env={**os.environ, **self.made.env},
                stop=signal.SIGKILL,
            )
        )
