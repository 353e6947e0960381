"""The trace of a message: from its arrival until it is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from orders import tracing

if TYPE_CHECKING:
    from consumers.batch import Job
    from orders.spans import OpenSpan
    from orders.tracing import Attributes, Trace


def arrived(job: Job) -> None:
    """Follow the trace of the message, or begin one; a message that comes by here again keeps its own."""
    delivery = job.delivery
    if delivery.trace is None:
        trace = tracing.arrived(delivery.headers.get("traceparent"), name="Consume", at=job.arrived)
        if trace and trace.span:
            size = {"messaging.message.body.size": len(delivery.body)}
            trace.span.note({**_queue(delivery.queue), **size})
        delivery.trace = trace


def named(job: Job, *, order_id: str, message_id: str) -> None:
    """What was in the message."""
    if trace := job.delivery.trace:
        trace.ids = {"orderId": order_id, "messageId": message_id}
        if trace.span:
            trace.span.note({**trace.ids, "messaging.message.id": message_id})


def publication(trace: Trace | None) -> OpenSpan | None:
    """A span for sending a routed order, where it is sampled."""
    if trace is None or not trace.sampled:
        return None
    return tracing.begin("Publish", trace, _sending(), sends=True)


def _sending() -> Attributes:
    return {
        "messaging.system": _system(),
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": settings.CONFIG.mq.producer_queue or "",
    }


def _system() -> str:
    return "postgresql" if settings.CONFIG.mq.embedded else "rabbitmq"


def _queue(name: str) -> Attributes:
    mq = settings.CONFIG.mq
    return {
        "messaging.system": _system(),
        "messaging.operation.type": "process",
        "messaging.operation.name": "consume",
        "messaging.destination.name": name,
        "messaging.consumer.group.name": mq.consumer_group,
    }
