"""Queues at an AMQP 0-9-1 broker: whether they are there, and of which type.

Note on types: AMQP does not tell one, but a broker that refuses a declaration says how the queue differs from it. So
a queue that is there is declared again with a type that does not exist: whatever happens meanwhile, nothing can come
of that. RabbitMQ names one difference at a time, which is taken over into the next declaration, until it names the
type. This needs the permission to configure the queue, which the service itself does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from order_entry_project.preflight.finding import Finding, failed, ok, warning

_NO_TYPE = "none, this only asks"
_TYPE = "x-queue-type"
_MOST_DIFFERENCES = 32
_NOT_FOUND, _REFUSED = 404, 403
_difference = re.compile(
    r"inequivalent arg '(?P<name>[^']+)' for queue .* current is "
    r"(?:none|the value '(?P<value>.*)' of type '(?P<kind>\w+)'|'(?P<plain>.*)')$",
    re.DOTALL,
).search


class TypeUntold(Exception):
    """The broker does not say of which type a queue is; the message has what it says instead."""


def findings(broker: BlockingConnection) -> Iterator[Finding]:
    mq = settings.CONFIG.mq
    for queue in mq.queues:
        yield _finding(broker, "mq.consumer_queue", queue, mq.queue_type)
    if mq.producer_queue is not None:
        # As transports.py declares it: readers of routed orders take them away.
        wanted = "quorum" if mq.queue_type == "stream" else mq.queue_type
        yield _finding(broker, "mq.producer_queue", mq.producer_queue, wanted)


def queue_type(broker: BlockingConnection, queue: str) -> str:
    """classic, quorum or stream. Raises `TypeUntold`; see the note on types."""
    flags: dict[str, bool] = {"durable": True, "auto_delete": False}
    arguments: dict[str, Any] = {_TYPE: _NO_TYPE}
    for _ in range(_MOST_DIFFERENCES):
        said = _refusal(broker, queue, flags, arguments)
        difference = _difference(said)
        if difference is None:
            raise TypeUntold(said)
        name = difference["name"]
        if name == _TYPE:
            return difference["plain"] or difference["value"] or "classic"
        if name in flags:
            flags[name] = not flags[name]
        else:
            arguments[name] = _value(difference["value"] or difference["plain"], difference["kind"])
    raise TypeUntold(said)


def _finding(broker: BlockingConnection, key: str, queue: str, wanted: str) -> Finding:
    mq = settings.CONFIG.mq
    try:
        channel = broker.channel()
        waiting = channel.queue_declare(queue, passive=True).method.message_count
        channel.close()
    except ChannelClosedByBroker as error:
        return _missing(key, queue, wanted, error)
    said = f"queue {queue} is there, {waiting:,} messages wait"
    try:
        found = queue_type(broker, queue)
    except TypeUntold as error:
        # No fault: a user that may only read and write is how it should be.
        return ok(key, f"{said}; whether it is a {wanted} queue this user is not told: {error}")
    if found == wanted:
        return ok(key, f"{said}, a {found} queue")
    unfit = mq.declare or "stream" in (found, wanted)
    return (failed if unfit else warning)(
        key,
        f"queue {queue} is there as a {found} queue",
        expected=f"a {wanted} queue (mq.queue_type {mq.queue_type})",
        advice=f"set mq.queue_type to {found}, or drain the queue, delete it and create it as {wanted}",
    )


def _missing(key: str, queue: str, wanted: str, error: ChannelClosedByBroker) -> Finding:
    if error.reply_code != _NOT_FOUND:
        return failed(
            key,
            f"queue {queue} cannot be used: {error.reply_text}",
            expected="a durable queue that is nobody's own",
            advice="see who declared it, and this user's permissions in the virtual host",
        )
    if settings.CONFIG.mq.declare:
        return ok(key, f"queue {queue} is not there yet; the first worker declares it (mq.declare)")
    return failed(
        key,
        f"queue {queue} does not exist",
        expected=f"a durable {wanted} queue",
        advice=f"create it at the broker with {_TYPE} {wanted}, or set mq.declare to true",
    )


def _refusal(
    broker: BlockingConnection, queue: str, flags: dict[str, bool], arguments: dict[str, Any]
) -> str:
    """What the broker says against this declaration, which it cannot accept."""
    try:
        broker.channel().queue_declare(queue, arguments=arguments, **flags)
    except ChannelClosedByBroker as error:
        return str(error.reply_text)
    raise TypeUntold(f"it accepts a queue of the type {_NO_TYPE!r}")


def _value(text: str, kind: str | None) -> Any:
    if kind == "bool" or text in ("true", "false"):
        return text == "true"
    return text if kind == "longstr" or not text.lstrip("-").isdigit() else int(text)
