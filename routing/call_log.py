"""`router_calls.log`: a line for each call of the router, with what was asked and what came back."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from routing.decisions import Attempt

_logger = logging.getLogger("router_calls")


def answered(attempts: Collection[Attempt]) -> None:
    """Written together; an attempt's `work` is to be as it was when the answer came."""
    if attempts and _logger.isEnabledFor(logging.INFO):
        lines = [_line(attempt) for attempt in attempts]
        _logger.info("%d answered", len(lines), extra={"lines": lines})


def _line(attempt: Attempt) -> dict[str, Any]:
    work, answer = attempt.work, attempt.answer
    return {
        "message": answer.outcome.value,
        "orderId": work.order.order_id,
        "messageId": work.message_id,
        "trace_id": work.trace and work.trace.trace_id,
        "attempt": work.attempts + work.tries,
        "endpoint": attempt.endpoint,
        "idempotencyKey": work.idempotency_key,
        "request": work.request.decode(),
        "http_status": answer.http_status,
        "route": answer.route,
        "error": answer.error,
        "latency_ms": round(answer.latency_ms, 3),
    }
