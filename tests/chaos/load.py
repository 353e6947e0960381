"""A sender that keeps to its rate, and knows what it has sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pika
from pika.exceptions import AMQPError

from order_entry_project.proof.ledger import Sent

_PAUSE = 0.2  # seconds between tries to connect


class Load(threading.Thread):
    """Publishes `messages` at `rate` a second until `end`; each again until the broker has confirmed it.

    What outages cost is not made up for: the load stays steady. `sent`: what is confirmed.
    """

    def __init__(self, broker: str, queue: str, messages: Iterator[Sent], *, rate: float) -> None:
        super().__init__(name="load", daemon=True)
        self.sent: list[Sent] = []
        self._parameters = pika.URLParameters(broker)
        self._queue = queue
        self._messages = messages
        self._gap = 1 / rate
        self._unconfirmed: Sent | None = None
        self._ending = threading.Event()

    def end(self) -> None:
        """Once the message under way is confirmed."""
        self._ending.set()

    def run(self) -> None:
        while self._unconfirmed or not self._ending.is_set():
            # A broker that goes away also lets pika trip over its own half-closed streams.
            with suppress(AMQPError, OSError, AssertionError):
                self._session()
            time.sleep(_PAUSE)

    def _session(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            due = time.monotonic()
            while self._unconfirmed or not self._ending.is_set():
                due = max(due + self._gap, time.monotonic() - 1)
                connection.process_data_events(max(0.0, due - time.monotonic()))
                self._send(channel, self._unconfirmed or next(self._messages))
        finally:
            with suppress(AMQPError, OSError, AssertionError):
                connection.close()

    def _send(self, channel: pika.adapters.blocking_connection.BlockingChannel, message: Sent) -> None:
        self._unconfirmed = message
        properties = pika.BasicProperties(
            message_id=message.message_id, content_type=message.content_type, delivery_mode=2
        )
        channel.basic_publish("", self._queue, message.body, properties, mandatory=True)
        self.sent.append(message)
        self._unconfirmed = None
