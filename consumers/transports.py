"""Which queue this service uses, by its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from django.conf import settings

from consumers.amqp_making import amqp_transport
from consumers.membership import Membership
from consumers.offsets import StreamPosition
from consumers.partitioned import PartitionedTransport
from consumers.postgres_queue import PostgresQueue
from orders.connecting import bounded

if TYPE_CHECKING:
    from consumers.offsets import Offsets
    from consumers.transport import Transport
    from routing.reactor import Reactor

_PATIENCE = 5  # seconds: bounds what the embedded queue may hold up the loop


def make_transport(reactor: Reactor, *, consume: bool, publish: bool, queue: str | None = None) -> Transport:
    """A transport of the configured kind, not yet started, over one queue each way.

    It consumes from `mq.consumer_queue` and publishes to `mq.producer_queue`; `queue` takes the place of the
    first or, where it does not consume, of the second. Raises `ValueError` without a queue to publish to.
    """
    mq = settings.CONFIG.mq
    source = (queue or mq.queues[0]) if consume else None
    target = None
    if publish:
        target = mq.producer_queue if consume else queue or mq.producer_queue
        if target is None:
            raise ValueError("mq.producer_queue is not set: there is no queue to publish to")
    return _transport(reactor, source, target)


def make_worker_transport(
    reactor: Reactor, *, publish: bool, queue: str | None, offsets: Offsets
) -> Transport:
    """What a worker consumes and publishes with: partitions, where there are several queues or streams."""
    mq = settings.CONFIG.mq
    queues = [queue] if queue else mq.queues
    if len(queues) == 1 and mq.queue_type != "stream":
        return make_transport(reactor, consume=True, publish=publish, queue=queues[0])

    def side(partition: str) -> Transport:
        offsets.load(partition)
        stream = StreamPosition(offsets, partition) if mq.queue_type == "stream" else None
        return _transport(reactor, partition, None, stream=stream)

    def left(partition: str) -> None:
        offsets.flush()
        offsets.forget(partition)

    return PartitionedTransport(
        reactor,
        Membership(_connect, group=mq.consumer_group),
        queues,
        make_side=side,
        on_left=left,
        publisher=_transport(reactor, None, mq.producer_queue) if publish else None,
    )


def make_sender(reactor: Reactor, queue: str) -> Transport:
    """What publishes into a queue that consumers of this service read. It has to be there: it is never declared."""
    if settings.CONFIG.mq.embedded:
        return _embedded(reactor, None, queue)
    return amqp_transport(reactor, None, queue, declare=False)


def _transport(
    reactor: Reactor, source: str | None, target: str | None, *, stream: StreamPosition | None = None
) -> Transport:
    if settings.CONFIG.mq.embedded:
        return _embedded(reactor, source, target)
    return amqp_transport(reactor, source, target, declare=settings.CONFIG.mq.declare, stream=stream)


def _embedded(reactor: Reactor, source: str | None, target: str | None) -> Transport:
    return PostgresQueue(reactor, _connect, consume=source, publish=target, prefetch=settings.CONFIG.prefetch)


def _connect() -> psycopg.Connection[Any]:
    return bounded(
        _PATIENCE,
        # The server, too, learns soon that a consumer's machine is gone: its messages wait for that.
        options="-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        application_name=f"{settings.CONFIG.service.name} queue",
        context=None,  # psycopg's own types, not Django's
    )
