"""Deliveries that are rejected, and a step of sending them again."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from consumers import rejected, replay
from consumers.models import QueueMessage
from consumers.rejected import Progress, Selection
from consumers.transport import Delivery

QUEUE = "TRADE.VALIDATED.ORDERS"
WHO = {"reason": "the sender is mended", "actor": "ann"}


def delivery(content: bytes = b"{}", message_id: str | None = "m-1", **fields: Any) -> Delivery:
    return Delivery(QUEUE, 1, None, content, message_id, "application/json", **fields)


def step(selection: Selection = rejected.ALL, **who: str) -> Progress:
    progress = Progress(until=timezone.now())
    rejected.step(selection, progress, replay.replay(**(WHO | who)))
    return progress


def queued() -> list[QueueMessage]:
    return list(QueueMessage.objects.order_by("id"))


def as_delivered(message: QueueMessage) -> Delivery:
    return Delivery(
        message.queue, 1, None, bytes(message.body), message.message_id, message.content_type, message.headers
    )
