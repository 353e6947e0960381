"""A broker over AMQP 1.0: whether it lets us in, and whether its queues are there; more that protocol does not tell."""

from __future__ import annotations

from collections.abc import Iterator

import pika
from django.conf import settings

from consumers import amqp10_extra
from consumers.amqp10_extra import Amqp10Unavailable
from order_entry_project.preflight.finding import Finding, Level, failed, ok

_URL = "mq.broker_url"
_VISITS = 4  # the patience of one among all


def findings(host: pika.ConnectionParameters, patience: float) -> Iterator[Finding]:
    try:
        amqp10_extra.require()
    except Amqp10Unavailable as error:
        yield failed(
            _URL,
            str(error),
            expected="the package installed",
            advice="make install-amqp10, or an amqp:// broker",
        )
        return
    mq = settings.CONFIG.mq
    for key, source, target in [
        (_URL, None, None),
        *(("mq.consumer_queue", queue, None) for queue in mq.queues),
        *(("mq.producer_queue", None, queue) for queue in (mq.producer_queue,) if queue is not None),
    ]:
        finding = _look(host, key, source, target, patience / _VISITS)
        yield finding
        if key == _URL and finding.level is Level.FAILED:
            return


def _look(
    host: pika.ConnectionParameters, key: str, source: str | None, target: str | None, patience: float
) -> Finding:
    from consumers.amqp10.addresses import addressing
    from consumers.amqp10.visit import visit

    queue = source or target
    try:
        address = addressing(settings.CONFIG.mq.address)
        broker = visit(host, patience=patience, address=address, source=source, target=target)
    except ConnectionError as error:
        return failed(
            key,
            str(error),
            expected="a queue that this user may use" if queue else "a broker that lets this user in",
            advice="create the queue at the broker, give the user its rights, see mq.address"
            if queue
            else "see mq.username, mq.client_cert and the broker's log",
        )
    if queue is None:
        return ok(key, f"it lets us in over AMQP 1.0: {broker}")
    way = "taken from" if source else "sent to"
    return ok(key, f"queue {queue} is there and may be {way}; how many messages wait AMQP 1.0 does not tell")
