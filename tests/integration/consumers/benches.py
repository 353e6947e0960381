"""A queue of a test's own, at each kind of broker, with what the tests do to it from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import pika
import psycopg
import pytest
from django.conf import settings
from django.db import connections
from pika.exceptions import AMQPConnectionError

from consumers.transport import Message
from consumers.transports import make_transport
from order_entry_project.secrets.sources import credentials
from tests.integration.consumers.turning import Loop, Side
from tests.servers.postgres import Database
from tests.servers.rabbitmq import Broker
from tests.tcp_proxy import TcpProxy


class Odd(NamedTuple):
    """A message as some other program may leave it; `put` does. What a consumer of ours is told of it."""

    what: str
    put: Callable[[], None]
    body: bytes
    message_id: str | None
    headers: dict[str, Any]


@dataclass
class Bench:
    """`cut` ends the connections of all transports; `put` leaves a message that has only a body.

    `ready`: messages that wait, by the broker's own word. `counts`: whether the transport can tell that, too.
    `flat`: headers hold no lists and maps, these are carried as JSON. `unsendable`: what the protocol cannot carry.
    `remove`, `create`, `limit`: of the queue, where it can be missing or full.
    """

    loop: Loop
    queue: str
    configure: Callable[..., None]
    cut: Callable[[], None]
    put: Callable[[bytes], None]
    ready: Callable[[], int]
    counts: bool = True
    flat: bool = False
    unsendable: Sequence[Message] = ()
    odd: Sequence[Odd] = ()
    line: TcpProxy | None = None
    remove: Callable[[], None] | None = None
    create: Callable[[], None] | None = None
    limit: Callable[[int], None] | None = None
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

    def settle(self, side: Side) -> None:
        """Whatever is on its way to `side` has come."""
        side.depth()
        if not self.counts:
            self.loop.turn_for(_ON_ITS_WAY)

    def check_ready(self, count: int) -> None:
        """So many wait, once the broker has heard all."""
        self.loop.poll(lambda: self.ready() == count)

    def close(self) -> None:
        for side in self.sides:
            if not side.stopped:
                side.stop()
        assert len(self.loop.reactor._poller._fd_handlers) == 1, "a transport has left a connection behind"
        self.loop.reactor.close()


_ON_ITS_WAY = 0.1  # seconds; where no answer of the broker's says that it has sent all


def configuring(patch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes keys of the `mq` section."""

    def configure(**keys: Any) -> None:
        config = settings.CONFIG
        changed = config.mq.model_copy(update=keys)
        config = config.model_copy(update={"mq": changed})
        patch.setattr(settings, "CONFIG", config)
        patch.setattr(settings, "CREDENTIALS", credentials(config))

    return configure


class RabbitMQueue:
    """A queue at RabbitMQ, handled past all that is tested."""

    def __init__(self, channel: Any, name: str, kind: str) -> None:
        self._channel = channel
        self.name = name
        self._kind = kind

    def create(self, **arguments: object) -> None:
        arguments = {"x-queue-type": self._kind, **arguments}
        self._channel.queue_declare(self.name, durable=True, arguments=arguments)

    def remove(self) -> None:
        self._channel.queue_delete(self.name)

    def limit(self, count: int) -> None:
        self.remove()
        self.create(**{"x-max-length": count, "x-overflow": "reject-publish"})

    def ready(self) -> int:
        return int(self._channel.queue_declare(self.name, passive=True).method.message_count)

    def put(self, body: bytes, **properties: Any) -> None:
        self._channel.basic_publish("", self.name, body, pika.BasicProperties(**properties), mandatory=True)


@contextmanager
def rabbitmq_queue(broker: Broker, kind: str) -> Iterator[RabbitMQueue]:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as direct:
        channel = direct.channel()
        channel.confirm_delivery()
        queue = RabbitMQueue(channel, f"test-{uuid4().hex}", kind)
        queue.create()
        try:
            yield queue
        finally:
            # The broker may have been ended meanwhile, and this connection with it.
            with suppress(AMQPConnectionError):
                queue.remove()


@contextmanager
def amqp_bench(broker: Broker, queue_type: str) -> Iterator[Bench]:
    with (
        pytest.MonkeyPatch.context() as patch,
        TcpProxy(broker.port) as proxy,
        rabbitmq_queue(broker, queue_type) as queue,
    ):
        configure = configuring(patch)
        configure(broker_url=f"amqp://127.0.0.1:{proxy.port}", declare=True, queue_type=queue_type)
        bench = Bench(
            Loop(),
            queue.name,
            configure,
            proxy.cut,
            queue.put,
            queue.ready,
            unsendable=[
                Message(b"odd", "odd", headers={"set": {1, 2}}),
                Message(b"long", "x" * 256),
                Message(b"surrogate", "\ud800"),
            ],
            odd=_odd_for_amqp(queue),
            line=proxy,
            remove=queue.remove,
            create=queue.create,
            limit=queue.limit if queue_type == "classic" else None,
        )
        try:
            yield bench
        finally:
            bench.close()


def _odd_for_amqp(queue: RabbitMQueue) -> list[Odd]:
    now = datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)

    def odd(what: str, read_id: str | None, read_headers: dict[str, Any], **properties: Any) -> Odd:
        return Odd(what, lambda: queue.put(b"{}", **properties), b"{}", read_id, read_headers)

    return [
        odd("an id that is not UTF-8", r"caf\xe9", {}, message_id=b"caf\xe9"),
        odd("a header's name that is not UTF-8", None, {r"caf\xe9": 1}, headers={b"caf\xe9": 1}),
        odd(
            "times, tables and lists",
            None,
            {"at": now, "deep": {"list": [1, {"two": None}]}},
            headers={"at": now, "deep": {"list": [1, {"two": None}]}},
        ),
    ]


@contextmanager
def embedded_bench(database: Database) -> Iterator[Bench]:
    queue = f"test-{uuid4().hex}"
    with pytest.MonkeyPatch.context() as patch, database.connect() as direct:
        here = connections["default"].settings_dict
        for name, value in (("HOST", database.host), ("NAME", database.name)):
            patch.setitem(here, name, value)
        configure = configuring(patch)
        configure(broker_url="postgresql://")
        waiting = "SELECT count(*) FROM queue_messages WHERE queue = %s AND consumer IS NULL"
        bench = Bench(
            Loop(),
            queue,
            configure,
            lambda: _terminate(direct),
            lambda body: _put(direct, queue, body),
            lambda: direct.execute(waiting, [queue]).fetchall()[0][0],
            unsendable=[
                Message(b"odd", "odd", headers={"set": {1, 2}}),
                Message(b"long", "x" * 256),
                Message(b"surrogate", "\ud800"),
                *(
                    Message(b"header", "h", headers={"odd": odd})
                    for odd in ("a\0b", {"n": ["\0"]}, float("nan"))
                ),
            ],
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
