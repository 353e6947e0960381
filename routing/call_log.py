"""`router_calls.log`: a line for each call of the router, with what was asked and what came back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.decisions import Attempt

_logger = logging.getLogger("router_calls")


def answered(attempt: Attempt, request: bytes) -> None:
    if not _logger.isEnabledFor(logging.INFO):
        return
    work, answer = attempt.work, attempt.answer
    _logger.info(
        answer.outcome.value,
        extra={
            "orderId": work.order.order_id,
            "messageId": work.message_id,
            "attempt": work.attempts + work.tries,
            "endpoint": attempt.endpoint,
            "idempotencyKey": work.idempotency_key,
            "request": request.decode(),
            "http_status": answer.http_status,
            "route": answer.route,
            "error": answer.error,
            "latency_ms": round(answer.latency_ms, 3),
        },
    )
