"""The service as its operators run it: real processes around a database of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import psycopg

from order_entry_project.embedded.processes import Child
from tests.checkout import MANAGE
from tests.servers.postgres import Database
from tests.simulated import Simulated, simulated_registry, simulated_router


class Observer:
    """Asks the book on one connection of its own: tests ask many times a second, and to connect costs more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connected().execute(statement, parameters or None).fetchall()
        except psycopg.OperationalError:
            # The server may have been away since.
            self.close()
            return self._connected().execute(statement, parameters or None).fetchall()

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = self._database.connect()
            # Tests alter tables meanwhile.
            self._connection.prepare_threshold = None
        return self._connection


@dataclass
class System:
    """`env`: what makes a process use this system; `queue`, `routed`: the names of its queues."""

    database: Database
    folder: Path
    env: dict[str, str]
    queue: str
    routed: str
    router: Simulated
    registry: Simulated
    broker: str | None
    observer: Observer
    stack: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def configured(self, **settings: str) -> Iterator[System]:
        """The same with other `settings` (SECTION__KEY); what is started in it ends with the block."""
        named = {f"ORDER_ENTRY__{name}": value for name, value in settings.items()}
        with ExitStack() as stack:
            yield replace(self, env=self.env | named, stack=stack)

    def manage(self, *arguments: str, expect: int = 0) -> str:
        """The standard output of a command that ends by itself."""
        done = subprocess.run(
            [*MANAGE, *arguments], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def drain(self, *arguments: str) -> dict[str, Any]:
        """The summary of a worker that takes what is there and stops."""
        return json.loads(self.manage("consume_orders", "--once", "--json", *arguments).splitlines()[-1])

    def start(self, *arguments: str, name: str = "worker") -> Child:
        """A process that runs until the test ends, or ends it."""
        return self.stack.enter_context(
            Child.running(
                [*MANAGE, *arguments],
                name=name,
                log=self.folder / f"{name}.log",
                env=self.env,
                stop=signal.SIGTERM,
            )
        )

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.observer.rows(statement, parameters)

    def counts(self, statement: str) -> dict[Any, int]:
        """Of a statement that selects values and their counts."""
        return dict(self.rows(statement))

    def statuses(self) -> dict[str, int]:
        return self.counts("SELECT status, count(*) FROM orders GROUP BY 1")

    def publish(self, *messages: tuple[str | None, bytes], content_type: str = "application/json") -> None:
        """Messages into the consumer queue, each with its id."""
        if self.broker is None:
            with self.database.connect() as connection, connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO queue_messages (queue, message_id, body, content_type, headers)"
                    " VALUES (%s, %s, %s, %s, '{}')",
                    [(self.queue, message_id, body, content_type) for message_id, body in messages],
                )
            return
        with self.channel() as channel:
            channel.confirm_delivery()
            for message_id, body in messages:
                properties = pika.BasicProperties(
                    message_id=message_id, content_type=content_type, delivery_mode=2
                )
                channel.basic_publish("", self.queue, body, properties, mandatory=True)

    def published(self) -> list[tuple[pika.BasicProperties, dict[str, Any]]]:
        """All that is in the routed queue, taken out of it."""
        taken = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(self.routed, auto_ack=True)
                if method is None:
                    return taken
                taken.append((properties, json.loads(body)))

    def depth(self, queue: str) -> int:
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.broker))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()


@contextmanager
def system(
    database: Database,
    folder: Path,
    *,
    broker: str | None = None,
    queue_type: str = "quorum",
    **settings: str,
) -> Iterator[System]:
    """A system with its own router and registry; `settings` as SECTION__KEY, its queues declared if on a broker."""
    tag = uuid4().hex[:8]
    queue, routed = f"{tag}.VALIDATED", f"{tag}.ROUTED"
    with ExitStack() as stack:
        router = stack.enter_context(simulated_router())
        registry = stack.enter_context(simulated_registry({"order-router": router.url}))
        named = {
            "MQ__CONSUMER_QUEUE": queue,
            "MQ__PRODUCER_QUEUE": routed,
            "MQ__QUEUE_TYPE": queue_type,
            "SERVICE_REGISTRY__ENDPOINT": registry.url,
            "ROUTER__MAX_BACKOFF": "1s",
            **({"MQ__BROKER_URL": broker, "MQ__DECLARE": "true"} if broker else {}),
            **settings,
        }
        env = {
            **os.environ,
            **database.env,
            "ORDER_ENTRY_CONFIG": "",
            **{f"ORDER_ENTRY__{name}": value for name, value in named.items()},
        }
        observer = Observer(database)
        stack.callback(observer.close)
        made = System(database, folder, env, queue, routed, router, registry, broker, observer)
        stack.enter_context(made.stack)
        if broker:
            _declare(made, queue_type)
        yield made


def _declare(made: System, queue_type: str) -> None:
    with made.channel() as channel:
        for name in (made.queue, made.routed):
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": queue_type})
