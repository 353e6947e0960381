"""Orders into the queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pika

from benchmarks.order_path.stack import QUEUE, Stack

_STILL = 0.2  # seconds without change after which a queue holds all that was sent


def body(order_id: str) -> bytes:
    """An order as the specification's example."""
    return (
        b'{"orderId":"%s","symbol":"AAPL","side":"BUY","quantity":100,"price":145.50,"counterparty":"ACME",'
        b'"created_at":"2026-02-14T10:30:45Z"}' % order_id.encode()
    )


def properties(message_id: str) -> pika.BasicProperties:
    """Both ids: the service's contract hands on the first as the second, others hand on the second."""
    return pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=message_id, correlation_id=message_id
    )


def order_ids(prefix: str, count: int) -> Iterator[str]:
    return (f"{prefix}-{number:07d}" for number in range(count))


def fill(stack: Stack, prefix: str, count: int) -> None:
    """`count` orders, whose ids begin with `prefix`; all are in the queue, or with its consumers, on return."""
    with stack.channel() as channel:
        for order_id in order_ids(prefix, count):
            channel.basic_publish("", QUEUE, body(order_id), properties(f"m-{order_id}"))
        _await_stillness(channel)


def depth(channel: Any, queue: str) -> int:
    """Messages that wait there; those a consumer holds are not counted."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def consumers(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.consumer_count)


def _await_stillness(channel: Any) -> None:
    before, since = -1, time.monotonic()
    while time.monotonic() - since < _STILL:
        time.sleep(_STILL / 10)
        if (now := depth(channel, QUEUE)) != before:
            before, since = now, time.monotonic()
