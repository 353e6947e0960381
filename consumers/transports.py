"""Which queue this service uses, by its configuration."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import psycopg
from django.conf import settings
from django.db import connections

from consumers.amqp import AmqpTransport
from consumers.amqp_consumer import AmqpConsumer
from consumers.amqp_parameters import broker_parameters
from consumers.amqp_publisher import AmqpPublisher
from consumers.postgres_queue import PostgresQueue

if TYPE_CHECKING:
    from consumers.transport import Transport
    from routing.reactor import Reactor

_PATIENCE = 5  # seconds: bounds what the embedded queue may hold up the loop


def make_transport(reactor: Reactor, *, consume: bool, publish: bool, queue: str | None = None) -> Transport:
    """A transport of the configured kind, not yet started.

    It consumes from `mq.consumer_queue` and publishes to `mq.producer_queue`; `queue` takes the place of the
    first or, where it does not consume, of the second. Raises `ValueError` without a queue to publish to.
    """
    mq = settings.CONFIG.mq
    source = (queue or mq.consumer_queue) if consume else None
    target = None
    if publish:
        target = mq.producer_queue if consume else queue or mq.producer_queue
        if target is None:
            raise ValueError("mq.producer_queue is not set: there is no queue to publish to")
    make = _embedded if mq.embedded else _amqp
    return make(reactor, source, target)


def _amqp(reactor: Reactor, source: str | None, target: str | None) -> Transport:
    mq = settings.CONFIG.mq
    declare = mq.queue_type if mq.declare else None
    consumer = publisher = None
    if source is not None:
        consumer = AmqpConsumer(
            reactor,
            lambda: broker_parameters(purpose="consumes"),
            queue=source,
            prefetch=settings.CONFIG.prefetch,
            declare=declare,
            tag=f"{mq.consumer_group}.{socket.gethostname()}.{os.getpid()}",
        )
    if target is not None:
        publisher = AmqpPublisher(
            reactor, lambda: broker_parameters(purpose="publishes"), queue=target, declare=declare
        )
    return AmqpTransport(consumer, publisher)


def _embedded(reactor: Reactor, source: str | None, target: str | None) -> Transport:
    return PostgresQueue(
        reactor, _connection_parameters, consume=source, publish=target, prefetch=settings.CONFIG.prefetch
    )


def _connection_parameters() -> dict[str, Any]:
    """Django's own, as psycopg's own: credentials may have changed since the last connection."""
    parameters = connections["default"].get_connection_params()
    for name in ("context", "pool"):
        parameters.pop(name, None)
    milliseconds = _PATIENCE * 1000
    return {
        **parameters,
        "cursor_factory": psycopg.Cursor,
        "application_name": f"{settings.CONFIG.service.name} queue",
        "connect_timeout": _PATIENCE,
        "tcp_user_timeout": milliseconds,
        # The server, too, learns soon that a consumer's machine is gone: its messages wait for that.
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    }
