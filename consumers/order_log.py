"""`order_entry.log`: a line for the outcome of each order and message, written a batch at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from consumers.quarantine import message_id_of
from orders.lifecycle import Status

if TYPE_CHECKING:
    from consumers.batch import Job
    from consumers.quarantine import Rejection
    from routing.settled import Settled

_logger = logging.getLogger("order_entry")


def settled(ends: Collection[Settled]) -> None:
    """Orders that were routed, parked or lost to another process."""
    if ends and _logger.isEnabledFor(logging.INFO):
        now = time.monotonic()
        _logger.info("%d settled", len(ends), extra={"lines": [_end(end, now) for end in ends]})


def known(jobs: Collection[tuple[str, Job]], halted: Collection[str]) -> None:
    """Messages, each with its order id, whose order needed nothing more now; `halted`: parked at once."""
    if jobs and _logger.isEnabledFor(logging.INFO):
        lines = [
            {
                "message": "parked: routing is halted" if order_id in halted else "duplicate",
                "orderId": order_id,
                "messageId": message_id_of(job.delivery),
                "trace_id": job.delivery.trace and job.delivery.trace.trace_id,
            }
            for order_id, job in jobs
        ]
        _logger.info("%d known", len(lines), extra={"lines": lines})


def rejected(rejections: Collection[Rejection]) -> None:
    if rejections and _logger.isEnabledFor(logging.WARNING):
        lines = [
            {
                "message": "rejected",
                "orderId": rejection.order_id,
                "messageId": message_id_of(rejection.delivery),
                "trace_id": rejection.delivery.trace and rejection.delivery.trace.trace_id,
                "reason": rejection.reason.value,
                "error": rejection.error[:500],
            }
            for rejection in rejections
        ]
        _logger.warning("%d rejected", len(lines), extra={"lines": lines})


def _end(end: Settled, now: float) -> dict[str, Any]:
    work = end.work
    job: Job | None = work.ticket
    return {
        "message": what_became_of(end),
        "orderId": work.order.order_id,
        "messageId": work.message_id,
        "trace_id": work.trace and work.trace.trace_id,
        "status": end.status.value,
        "route": end.route,
        "latency_ms": round(1000 * (now - job.arrived), 3) if job else None,
    }


def what_became_of(end: Settled) -> str:
    """In a word or two."""
    if end.change is None:
        return "released" if end.released else "settled by another"
    return "routed" if end.status is Status.ROUTED else "parked"
