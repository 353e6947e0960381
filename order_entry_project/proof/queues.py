"""The two queues of a proof, as someone outside the service handles them: with statements and calls of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel

from consumers.amqp_parameters import broker_parameters
from order_entry_project.proof.evidence import Published
from order_entry_project.proof.ledger import Sent


class Queues(Protocol):
    """A consumer queue and a queue for what is routed, both of the proof's own."""

    def declare(self) -> None: ...
    def publish(self, messages: Sequence[Sent]) -> None: ...
    def waiting(self) -> int:
        """Messages in the consumer queue."""

    def routed(self) -> list[Published]:
        """All that is in the other one, taken out of it."""

    def delete(self) -> None: ...


class EmbeddedQueues:
    """In `queue_messages` of the proof's own database: they come and go with it."""

    def __init__(self, book: psycopg.Connection[Any], consumer: str, producer: str) -> None:
        self._book = book
        self._consumer = consumer
        self._producer = producer

    def declare(self) -> None:
        pass

    def publish(self, messages: Sequence[Sent]) -> None:
        with self._book.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO queue_messages (queue, message_id, body, content_type, headers)"
                " VALUES (%s, %s, %s, %s, '{}')",
                [(self._consumer, one.message_id, one.body, one.content_type) for one in messages],
            )

    def waiting(self) -> int:
        counted = self._book.execute(
            "SELECT count(*) FROM queue_messages WHERE queue = %s", [self._consumer]
        ).fetchall()
        return int(counted[0][0])

    def routed(self) -> list[Published]:
        taken = self._book.execute(
            "DELETE FROM queue_messages WHERE queue = %s RETURNING message_id, body", [self._producer]
        )
        return [Published(message_id, body) for message_id, body in taken]

    def delete(self) -> None:
        pass


class AmqpQueues:
    """At the configured broker, durable; `kind`: classic or quorum."""

    def __init__(self, consumer: str, producer: str, *, kind: str) -> None:
        self._consumer = consumer
        self._producer = producer
        self._kind = kind

    def declare(self) -> None:
        arguments = {"x-queue-type": self._kind}
        with _channel() as channel:
            for queue in (self._consumer, self._producer):
                channel.queue_declare(queue, durable=True, arguments=arguments)

    def publish(self, messages: Sequence[Sent]) -> None:
        """Raises an `AMQPError` unless the broker confirms each."""
        with _channel() as channel:
            channel.confirm_delivery()
            for one in messages:
                properties = pika.BasicProperties(
                    message_id=one.message_id,
                    content_type=one.content_type,
                    delivery_mode=pika.DeliveryMode.Persistent,
                )
                channel.basic_publish("", self._consumer, one.body, properties, mandatory=True)

    def waiting(self) -> int:
        with _channel() as channel:
            return int(channel.queue_declare(self._consumer, passive=True).method.message_count)

    def routed(self) -> list[Published]:
        taken: list[Published] = []
        with _channel() as channel:
            while True:
                method, properties, body = channel.basic_get(self._producer, auto_ack=True)
                if method is None:
                    return taken
                taken.append(Published(properties.message_id, body))

    def delete(self) -> None:
        with _channel() as channel:
            for queue in (self._consumer, self._producer):
                channel.queue_delete(queue)


@contextmanager
def _channel() -> Iterator[BlockingChannel]:
    """On a connection of its own: between two of these a broker would miss heartbeats."""
    connection = pika.BlockingConnection(broker_parameters(purpose="proves"))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()
