"""Queues at an AMQP 0-9-1 broker: declared, or checked."""

from __future__ import annotations

from collections.abc import Callable

from pika.channel import Channel


def ensure_queue(channel: Channel, queue: str, *, declare: str | None, callback: Callable[..., None]) -> None:
    """Declare `queue`, durable and of the type `declare`, or check that it exists.

    A queue that is missing or of another type closes the channel (404, 406).
    """
    if declare is None:
        channel.queue_declare(queue, passive=True, callback=callback)
    else:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": declare}, callback=callback)
