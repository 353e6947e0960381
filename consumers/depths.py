"""How many messages wait in the queues: asked beside the workers, for one wants to know when they are dead or hang.

Over AMQP 1.0 no broker tells it, and a link that only looks is one more consumer to it: as a queue's single active
one it would keep the workers from all messages. So nothing stays connected there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers import amqp_versions
from consumers.transports import make_transport

if TYPE_CHECKING:
    from consumers.transport import Delivery
    from routing.reactor import Reactor

_INTERVAL = 2.0  # seconds


class Depths(Collector):
    """`queue_depth{queue}` for each of `queues`; missing while it cannot be had."""

    def __init__(self, reactor: Reactor, queues: Iterable[str]) -> None:
        self._watches = [_Watch(reactor, queue) for queue in queues] if _can_be_told() else []

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("queue_depth", "Messages ready in the queue", labels=["queue"])
        for watch in self._watches:
            if (depth := watch.depth) is not None:
                family.add_metric([watch.queue], depth)
        yield family


class _Watch:
    """A listener with a connection of its own, which takes nothing and asks; it leaves where nothing is told."""

    def __init__(self, reactor: Reactor, queue: str) -> None:
        self.queue = queue
        self.depth: int | None = None
        self._reactor = reactor
        self._answered = True
        self._left = False
        self._transport = make_transport(reactor, consume=True, publish=False, queue=queue)
        self._transport.pause()
        self._transport.start(self)
        self._ask()

    def on_up(self) -> None:
        """The next question will be answered, unless the broker has turned out to speak AMQP 1.0."""
        if not _can_be_told():
            self._left = True
            self._transport.stop(_nothing)

    def on_down(self, reason: str, queue: str) -> None:
        """The transport has said why, and tries again."""
        del reason, queue
        self.depth = None

    def on_delivery(self, delivery: Delivery) -> None:
        raise AssertionError(f"paused, but {delivery.message_id} came")

    def _ask(self) -> None:
        if self._left:
            return
        if not self._answered:
            self.depth = None  # a broker that stands still: what it said before is no answer
        self._answered = False
        self._transport.depth(self._know)
        self._reactor.call_later(_INTERVAL, self._ask)

    def _know(self, depth: int | None) -> None:
        self._answered = True
        self.depth = depth


def _can_be_told() -> bool:
    return amqp_versions.tells_depths(settings.CONFIG.mq.broker_url)


def _nothing() -> None:
    """There is nothing to do once the watch has left."""
