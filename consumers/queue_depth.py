"""How many messages wait in a queue, asked once."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from django.conf import settings

from consumers import amqp_versions
from consumers.transport import QueueUnavailable
from consumers.transports import make_transport
from routing.reactor import Reactor

if TYPE_CHECKING:
    from consumers.transport import Delivery


_NOT_TOLD = "it is there, but over AMQP 1.0 no broker tells how many messages wait: ask it by its own means"


def queue_depth(queue: str) -> int:
    """Messages ready in `queue`. Raises `QueueUnavailable`."""
    with closing(Reactor()) as reactor:
        look = _Look(reactor, queue)
        look.run()
    if look.depth is None:
        raise QueueUnavailable(f"{queue}: {look.reason}")
    return look.depth


class _Look:
    """A listener that asks for the depth as soon as it is connected, takes nothing, and leaves."""

    def __init__(self, reactor: Reactor, queue: str) -> None:
        self.depth: int | None = None
        self.reason = "the connection ended"
        self._reactor = reactor
        self._transport = make_transport(reactor, consume=True, publish=False, queue=queue)

    def run(self) -> None:
        self._transport.pause()
        self._transport.start(self)
        self._reactor.run()

    def on_up(self) -> None:
        if not amqp_versions.tells_depths(settings.CONFIG.mq.broker_url):
            self.reason = _NOT_TOLD
        self._transport.depth(self._leave)

    def on_down(self, reason: str, queue: str) -> None:
        del queue
        self.reason = reason
        self._leave(None)

    def on_delivery(self, delivery: Delivery) -> None:
        raise AssertionError(f"paused, but {delivery.message_id} came")

    def _leave(self, depth: int | None) -> None:
        self.depth = depth
        self._transport.stop(self._reactor.stop)
