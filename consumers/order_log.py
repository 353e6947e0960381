"""`order_entry.log`: a line for the outcome of each order and message."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from consumers.quarantine import message_id_of
from orders.lifecycle import Status

if TYPE_CHECKING:
    from consumers.batch import Job
    from consumers.quarantine import Rejection
    from routing.dispatch import Settled

_logger = logging.getLogger("order_entry")


def settled(ends: Iterable[Settled]) -> None:
    """Orders that were routed, parked or lost to another process."""
    if not _logger.isEnabledFor(logging.INFO):
        return
    now = time.monotonic()
    for end in ends:
        job: Job | None = end.work.ticket
        fields = {
            "orderId": end.work.order.order_id,
            "messageId": end.work.message_id,
            "status": end.status.value,
            "route": end.route,
            "latency_ms": round(1000 * (now - job.arrived), 3) if job else None,
        }
        if end.change is None:
            _logger.info("released" if end.released else "settled by another", extra=fields)
        else:
            _logger.info("routed" if end.status is Status.ROUTED else "parked", extra=fields)


def known(job: Job, order_id: str, *, halted: bool) -> None:
    """A message whose order needed nothing more now."""
    fields = {"orderId": order_id, "messageId": message_id_of(job.delivery)}
    _logger.info("parked: routing is halted" if halted else "duplicate", extra=fields)


def rejected(rejections: Iterable[Rejection]) -> None:
    for rejection in rejections:
        fields = {
            "orderId": rejection.order_id,
            "messageId": message_id_of(rejection.delivery),
            "reason": rejection.reason.value,
            "error": rejection.error[:500],
        }
        _logger.warning("rejected", extra=fields)
