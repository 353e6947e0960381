"""Whoever reads the routed queue: takes all that is published and keeps it, whatever happens to the line."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pika
from pika.exceptions import AMQPError

from order_entry_project.proof.evidence import Published

_PAUSE = 0.2  # seconds between tries to connect
_IDLE = 0.5  # seconds between looks whether to end


class Downstream(threading.Thread):
    """`taken`: every message of the queue, some more than once."""

    def __init__(self, broker: str, queue: str) -> None:
        super().__init__(name="downstream", daemon=True)
        self.taken: list[Published] = []
        self._parameters = pika.URLParameters(broker)
        self._queue = queue
        self._ending = threading.Event()

    def end(self) -> None:
        self._ending.set()
        self.join(30)

    def run(self) -> None:
        while not self._ending.is_set():
            # The queue may be gone for a while, as the broker may.
            with suppress(AMQPError, OSError, AssertionError):
                self._session()
            time.sleep(_PAUSE)

    def _session(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=100)
            for method, properties, body in channel.consume(self._queue, inactivity_timeout=_IDLE):
                if method is not None:
                    self.taken.append(Published(properties.message_id, body))
                    channel.basic_ack(method.delivery_tag)
                if self._ending.is_set():
                    return
        finally:
            with suppress(AMQPError, OSError, AssertionError):
                connection.close()
