"""Whether a queue is empty. More of its depth AMQP 1.0 does not tell, and this much only to one who consumes.

Note on draining: a broker that is asked to drain a link sends what it has for its credit and gives the rest of the
credit back. If there is a rest, all that was in the queue has been sent, before the answer. RabbitMQ 3's plugin fails
at that: it ends the session, or gives credit back twice. But it answers every new credit with the number of messages
that are ready; before or after it hands on the last ones. So it is waited a while whether any come.
"""

from __future__ import annotations

from typing import Any

from cproton import pn_link_draining, pn_link_queued

from consumers.transport import OnDepth
from routing.reactor import Reactor

_PATIENCE = 5.0  # seconds for an answer
_A_WHILE = 0.1  # seconds


class Depth:
    """Of one session after the other: `begin`, `end`."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._by_drain = True
        self._waiting: list[OnDepth] = []  # for the next round
        self._asked: list[OnDepth] = []
        self._answered = self._delivered = False  # anything since the round began
        self._timer: object | None = None

    def begin(self, *, by_drain: bool) -> None:
        self._by_drain = by_drain

    def end(self) -> None:
        self._answer(None)
        waiting, self._waiting = self._waiting, []
        _tell(waiting, None)

    def ask(self, on_depth: OnDepth, receiver: Any) -> None:
        """Over `receiver`, which consumes; None: there is none, hence no answer."""
        if receiver is None or _credit(receiver) <= 0:
            self._reactor.call_later(0, lambda: on_depth(None))
            return
        self._waiting.append(on_depth)
        if not self._asked:
            self._next_round(receiver)

    def on_flow(self, receiver: Any) -> None:
        """The broker has answered something, and what it sent before has been handed on."""
        self._answered = True
        if not self._asked:
            receiver.drained()
        elif self._by_drain and not pn_link_draining(receiver._impl):  # noqa: SLF001 - there is no other way to ask
            self._finish(receiver, 0 if receiver.drained() else None)

    def on_delivery(self, receiver: Any) -> None:
        """Something has been handed on. Where it took the last credit there is none to give back, and no answer."""
        self._delivered = True
        if self._asked and self._by_drain and receiver is not None and _credit(receiver) <= 0:
            self._finish(receiver, None)

    def reset(self, receiver: Any) -> None:
        """Whatever was being drained is to flow again."""
        receiver.drain_mode = False
        receiver.drained()
        self._answer(None)

    def _next_round(self, receiver: Any) -> None:
        self._asked, self._waiting = self._waiting, []
        self._answered = self._delivered = False
        if self._by_drain:
            receiver.drain_mode = True
            self._timer = self._reactor.call_later(_PATIENCE, lambda: self._expire(receiver))
        else:
            receiver.flow(1)
            self._timer = self._reactor.call_later(_A_WHILE, lambda: self._look(receiver))

    def _look(self, receiver: Any) -> None:
        self._timer = None
        empty = self._answered and not self._delivered and not receiver.available
        self._answer(0 if empty else None)
        self.end()

    def _expire(self, receiver: Any) -> None:
        self._timer = None
        receiver.drain_mode = False
        self.end()

    def _finish(self, receiver: Any, depth: int | None) -> None:
        receiver.drain_mode = False
        self._answer(depth)
        if self._waiting:
            self._next_round(receiver)

    def _answer(self, depth: int | None) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None
        asked, self._asked = self._asked, []
        _tell(asked, depth)


def _credit(receiver: Any) -> int:
    """What the broker may still send, as far as is known here."""
    return int(receiver.credit) - int(pn_link_queued(receiver._impl))  # noqa: SLF001 - there is no other way to ask


def _tell(asked: list[OnDepth], depth: int | None) -> None:
    for on_depth in asked:
        on_depth(depth)
