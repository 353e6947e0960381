"""Publishing routed orders: at once after they are settled, and by the relay where that did not succeed.

The accepted `order_routes` row is the outbox. What is published is built only from that row and the order's
immutable fields, so that a repeat is byte for byte the same; `message_id` lets readers drop it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from consumers import metrics, traces
from consumers.transport import Message, Outcome
from orders import documents
from orders.sql import SqlUnavailable
from routing.publications import Unpublished, take_unpublished

if TYPE_CHECKING:
    from consumers.tally import Tally
    from consumers.transport import Transport
    from orders.spans import OpenSpan
    from orders.sql import Sql
    from routing.sql_gate import SqlGate

logger = logging.getLogger(__name__)

_SAY_EVERY = 1.0


class _Sent(NamedTuple):
    """A route under publication, with its span where the order is sampled."""

    route: Unpublished
    span: OpenSpan | None


class Outbox:
    """`republish_after`: seconds a publication may stay unconfirmed before the relay sends it again.

    `mark(attempt_id)` notes a confirmed publication for the next statement that can carry it.
    """

    def __init__(
        self,
        transport: Transport,
        sql: Sql,
        gate: SqlGate,
        tally: Tally,
        *,
        batch_size: int,
        republish_after: float,
        mark: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._sql = sql
        self._gate = gate
        self._tally = tally
        self._batch_size = batch_size
        self._republish_after = republish_after
        self._mark = mark
        self._unanswered = 0
        self._relayed = 0
        self._unsaid = 0  # publications that failed since the last warning
        self._said_at = -_SAY_EVERY
        self._behind = False

    @property
    def behind(self) -> bool:
        """Whether there may be more for the relay: its last batch was a full one and is getting through."""
        return self._behind

    @property
    def idle(self) -> bool:
        return self._unanswered == 0

    def publish(self, routes: Sequence[Unpublished], on_outcome: Callable[[str, Outcome], None]) -> None:
        """Send each; `on_outcome` once for each, whatever comes of it."""
        if not routes:
            return
        self._unanswered += len(routes)
        sent = [_Sent(route, traces.publication(route.trace)) for route in routes]
        self._transport.publish(
            [_message(each) for each in sent],
            partial(self._answered, sent, on_outcome, time.monotonic()),
        )

    def relay(self) -> bool:
        """Publish what is due; at most one batch under way. Whether there was anything."""
        if self._relayed or not self._gate.open:
            return self._relayed > 0
        try:
            routes = take_unpublished(self._sql, limit=self._batch_size, hold=self._republish_after)
        except SqlUnavailable as error:
            self._gate.close(error)
            return False
        self._relayed = len(routes)
        self._behind = len(routes) == self._batch_size
        self.publish(routes, self._relay_answered)
        return bool(routes)

    def _answered(
        self,
        sent: Sequence[_Sent],
        on_outcome: Callable[[str, Outcome], None],
        began: float,
        index: int,
        outcome: Outcome,
    ) -> None:
        self._unanswered -= 1
        route, span = sent[index]
        if span:
            span.end({}, error=None if outcome is Outcome.CONFIRMED else outcome.value)
        self._tally.answered(outcome)
        metrics.published.observe(1000 * (time.monotonic() - began))
        if outcome is Outcome.CONFIRMED:
            self._mark(route.id)
        else:
            self._say_unpublished(route, outcome)
        on_outcome(route.id, outcome)

    def _say_unpublished(self, route: Unpublished, outcome: Outcome) -> None:
        """Once a second at most: in an outage there is one of these for every order and every try."""
        self._unsaid += 1
        now = time.monotonic()
        if now - self._said_at < _SAY_EVERY:
            return
        logger.warning(
            "routed but not published (%s): %s and %d more; the relay tries again in %g s",
            outcome.value,
            route.order_id,
            self._unsaid - 1,
            self._republish_after,
        )
        self._said_at, self._unsaid = now, 0

    def _relay_answered(self, attempt_id: str, outcome: Outcome) -> None:
        del attempt_id
        self._relayed -= 1
        self._behind &= outcome is Outcome.CONFIRMED


def _message(sent: _Sent) -> Message:
    """The body is the same however often it is sent; the trace context is of this sending."""
    route = sent.route
    context = sent.span or route.trace
    return Message(
        documents.routed_message(
            route.core, route=route.route, routed_at=route.decided_at, message_id=route.message_id
        ),
        message_id=f"routed:{route.order_id}",
        correlation_id=route.message_id,
        headers={"traceparent": context.traceparent} if context else {},
    )
