"""What follows when routing has ended: the cache and the mark, the publication, the acknowledgement, the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from consumers import order_log
from orders.lifecycle import Status
from routing.publications import Unpublished

if TYPE_CHECKING:
    from consumers.acknowledging import Acknowledging
    from consumers.batch import Job
    from consumers.idempotency import Idempotency
    from consumers.outbox import Outbox
    from consumers.tally import Tally
    from orders.status_cache import StatusCache
    from routing.settled import Settled


class Concluding:
    """`publishes`: routed orders are; `passed` is told the steps "remember" and "publish"."""

    def __init__(
        self,
        cache: StatusCache,
        idempotency: Idempotency,
        tally: Tally,
        messages: Acknowledging,
        *,
        publishes: bool,
        passed: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._idempotency = idempotency
        self._tally = tally
        self._messages = messages
        self._publishes = publishes
        self._passed = passed

    def attach(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def conclude(self, settled: Sequence[Settled]) -> None:
        self._remember([end for end in settled if end.change])
        to_publish: list[Unpublished] = []
        for end in settled:
            job: Job | None = end.work.ticket
            routed = end.change is not None and end.status is Status.ROUTED
            if routed:
                self._tally.routed_after(job.arrived if job else None)
            elif end.change:
                self._tally.pending += 1
            if routed and self._publishes:
                to_publish.append(self._publication(end))
            elif job and not end.released:
                self._messages.done(job.delivery, order_log.what_became_of(end))
        self._publish(to_publish)
        order_log.settled(settled)

    def _remember(self, changed: Sequence[Settled]) -> None:
        """Cache and idempotency mark: one batch where one store keeps both."""
        if not changed:
            return
        records = [end.record(self._cache) for end in changed]
        marks = [self._idempotency.record(end.work.order, end.work.message_id) for end in changed]
        if self._cache.store is self._idempotency.store:
            self._cache.write(records + marks, [end.work.trace for end in changed])
        else:
            self._cache.write(records, [end.work.trace for end in changed])
            self._idempotency.write(marks)
        self._passed("remember")

    def _publication(self, end: Settled) -> Unpublished:
        """What to publish of a routed order; its message is acknowledged when that is answered."""
        work = end.work
        if end.attempt_id is None or end.route is None or end.change is None:
            raise AssertionError(f"order {work.order.order_id} is routed without a route")
        if work.ticket:
            self._messages.after_publication(end.attempt_id, work.ticket.delivery)
        return Unpublished(
            end.attempt_id,
            end.route,
            end.change.at,
            work.message_id,
            work.order.order_id,
            work.core,
            work.trace,
        )

    def _publish(self, routes: list[Unpublished]) -> None:
        if not routes:
            return
        self._outbox.publish(routes, self._messages.on_published)
        self._messages.published_soon([route.id for route in routes])
        self._passed("publish")
