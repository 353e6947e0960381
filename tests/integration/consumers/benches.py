"""A queue of a test's own, at each kind of broker, with what the tests do to it from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pika
import psycopg
import pytest
from django.conf import settings
from django.db import connections

from consumers.transports import make_transport
from order_entry_project.secrets.sources import credentials
from tests.integration.consumers.turning import Loop, Side
from tests.servers.postgres import Database
from tests.servers.rabbitmq import Broker
from tests.tcp_proxy import TcpProxy


@dataclass
class Bench:
    """`cut` ends the connections of all transports; `put` leaves a message that has only a body."""

    loop: Loop
    queue: str
    configure: Callable[..., None]
    cut: Callable[[], None]
    put: Callable[[bytes], None]
    sides: list[Side] = field(default_factory=list)

    def consumer(self, *, prefetch: int = 100, acks: bool = False) -> Side:
        """One that is up."""
        side = self.unstarted(consume=True, prefetch=prefetch, acks=acks)
        side.start()
        return side

    def publisher(self) -> Side:
        """One that publishes to the queue, and is up."""
        side = self.unstarted(consume=False)
        side.start()
        return side

    def unstarted(self, *, consume: bool, prefetch: int = 100, acks: bool = False) -> Side:
        self.configure(prefetch=prefetch)
        transport = make_transport(self.loop.reactor, consume=consume, publish=not consume, queue=self.queue)
        side = Side(self.loop, transport, acks=acks)
        self.sides.append(side)
        return side

    def close(self) -> None:
        for side in self.sides:
            if not side.stopped:
                side.stop()
        assert len(self.loop.reactor._poller._fd_handlers) == 1, "a transport has left a connection behind"
        self.loop.reactor.close()


def configuring(patch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes keys of the `mq` section."""

    def configure(**keys: Any) -> None:
        config = settings.CONFIG
        changed = config.mq.model_copy(update=keys)
        config = config.model_copy(update={"mq": changed})
        patch.setattr(settings, "CONFIG", config)
        patch.setattr(settings, "CREDENTIALS", credentials(config))

    return configure


@contextmanager
def amqp_bench(broker: Broker, queue_type: str) -> Iterator[Bench]:
    queue = f"test-{uuid4().hex}"
    with (
        pytest.MonkeyPatch.context() as patch,
        TcpProxy(broker.port) as proxy,
        pika.BlockingConnection(pika.URLParameters(broker.url)) as direct,
    ):
        channel = direct.channel()
        channel.confirm_delivery()
        configure = configuring(patch)
        configure(broker_url=f"amqp://127.0.0.1:{proxy.port}", declare=True, queue_type=queue_type)
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})
        bench = Bench(
            Loop(),
            queue,
            configure,
            proxy.cut,
            lambda body: channel.basic_publish("", queue, body, mandatory=True),
        )
        try:
            yield bench
        finally:
            bench.close()
            channel.queue_delete(queue)


@contextmanager
def embedded_bench(database: Database) -> Iterator[Bench]:
    queue = f"test-{uuid4().hex}"
    with pytest.MonkeyPatch.context() as patch, database.connect() as direct:
        here = connections["default"].settings_dict
        for name, value in (("HOST", database.host), ("NAME", database.name)):
            patch.setitem(here, name, value)
        configure = configuring(patch)
        configure(broker_url="postgresql://")
        bench = Bench(
            Loop(), queue, configure, lambda: _terminate(direct), lambda body: _put(direct, queue, body)
        )
        try:
            yield bench
        finally:
            bench.close()


def _terminate(direct: psycopg.Connection[Any]) -> None:
    direct.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE '%% queue'"
    )


def _put(direct: psycopg.Connection[Any], queue: str, body: bytes) -> None:
    direct.execute("INSERT INTO queue_messages (queue, body, headers) VALUES (%s, %s, '{}')", [queue, body])
