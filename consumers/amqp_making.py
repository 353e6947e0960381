"""Transports over AMQP, of the version that the configuration names or the broker speaks."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings

from consumers import amqp10_extra, amqp_versions
from consumers.amqp import AmqpTransport
from consumers.amqp_consumer import AmqpConsumer
from consumers.amqp_either import EitherAmqp
from consumers.amqp_parameters import broker_parameters
from consumers.amqp_publisher import AmqpPublisher
from consumers.amqp_versions import Version

if TYPE_CHECKING:
    from consumers.amqp_consumer import Stream
    from consumers.transport import Transport
    from routing.reactor import Reactor

logger = logging.getLogger(__name__)


def amqp_transport(
    reactor: Reactor, source: str | None, target: str | None, *, declare: bool, stream: Stream | None = None
) -> Transport:
    """It consumes from `source` and publishes to `target`; `declare`: queues of `mq.queue_type`, where it can.

    Raises `Amqp10Unavailable` where AMQP 1.0 is wanted and its package is not installed.
    """

    def make(version: Version, on_other: Callable[[], None]) -> Transport:
        if version is Version.V1_0:
            return _amqp10(reactor, source, target, on_other)
        return _amqp(reactor, source, target, declare, stream, on_other)

    url = settings.CONFIG.mq.broker_url
    if amqp_versions.is_given(url):
        return _amqp10(reactor, source, target, None)
    return EitherAmqp(reactor, url, make)


def _amqp(
    reactor: Reactor,
    source: str | None,
    target: str | None,
    declare: bool,
    stream: Stream | None,
    on_other: Callable[[], None],
) -> Transport:
    mq = settings.CONFIG.mq
    consumer = publisher = None
    if source is not None:
        consumer = AmqpConsumer(
            reactor,
            lambda: broker_parameters(purpose="consumes"),
            queue=source,
            prefetch=settings.CONFIG.prefetch,
            declare=mq.queue_type if declare else None,
            tag=f"{mq.consumer_group}.{socket.gethostname()}.{os.getpid()}",
            stream=stream,
            on_other_version=on_other,
        )
    if target is not None:
        # Readers of routed orders take them away: never a stream.
        kind = "quorum" if mq.queue_type == "stream" else mq.queue_type
        publisher = AmqpPublisher(
            reactor,
            lambda: broker_parameters(purpose="publishes"),
            queue=target,
            declare=kind if declare else None,
            on_other_version=on_other,
        )
    return AmqpTransport(consumer, publisher)


def _amqp10(
    reactor: Reactor, source: str | None, target: str | None, on_other: Callable[[], None] | None
) -> Transport:
    amqp10_extra.require()
    from consumers.amqp10.addresses import addressing
    from consumers.amqp10.consumer import Amqp10Consumer
    from consumers.amqp10.publisher import Amqp10Publisher

    mq = settings.CONFIG.mq
    if mq.queue_type == "stream":
        raise ValueError("mq.queue_type stream needs AMQP 0-9-1, but the broker speaks AMQP 1.0")
    if mq.declare:
        logger.warning("mq.declare has no effect: queues cannot be declared over AMQP 1.0")
    address = addressing(mq.address)
    consumer = publisher = None
    if source is not None:
        consumer = Amqp10Consumer(
            reactor,
            lambda: broker_parameters(purpose="consumes"),
            queue=source,
            prefetch=settings.CONFIG.prefetch,
            address=address,
            on_other_version=on_other,
        )
    if target is not None:
        publisher = Amqp10Publisher(
            reactor,
            lambda: broker_parameters(purpose="publishes"),
            queue=target,
            address=address,
            patience=mq.heartbeat,
            on_other_version=on_other,
        )
    return AmqpTransport(consumer, publisher)
