"""How many messages wait in a queue, asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from consumers import amqp_versions
from consumers.amqp_versions import Version
from consumers.transports import make_transport
from routing.reactor import Reactor

if TYPE_CHECKING:
    from consumers.transport import Delivery


_NOT_TOLD = "it is there, but over AMQP 1.0 no broker tells how many messages wait: ask it by its own means"


class QueueUnavailable(Exception):
    """The queue cannot be looked at; the message says which and why."""


def queue_depth(queue: str) -> int:
    """Messages ready in `queue`. Raises `QueueUnavailable`."""
    look = _Look(queue)
    if look.depth is None:
        raise QueueUnavailable(f"{queue}: {look.reason}")
    return look.depth


class _Look:
    """A listener that asks for the depth as soon as it is connected, takes nothing, and leaves."""

    def __init__(self, queue: str) -> None:
        self.depth: int | None = None
        self.reason = "the connection ended"
        self._reactor = Reactor()
        self._transport = make_transport(self._reactor, consume=True, publish=False, queue=queue)
        self._transport.pause()
        self._transport.start(self)
        try:
            self._reactor.run()
        finally:
            self._reactor.close()

    def on_up(self) -> None:
        if amqp_versions.version_of(settings.CONFIG.mq.broker_url) is Version.V1_0:
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
