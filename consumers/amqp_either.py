"""An AMQP transport that finds out which version its broker speaks, and goes on in that one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers import amqp_versions
from consumers.amqp_versions import Version
from consumers.transport import Delivery, Listener, Message, OnDepth, OnOutcome, Transport
from routing.reactor import Reactor

_PAUSE = 0.1  # seconds before the other version: hosts that differ must not make this spin

# `make(version, on_other)`: a transport, which calls `on_other` in place of trying again where the broker answers
# in the other version.
Make = Callable[[Version, Callable[[], None]], Transport]


class EitherAmqp:
    """A `Transport`: the one `make` made for the version the broker at `url` speaks."""

    def __init__(self, reactor: Reactor, url: str, make: Make) -> None:
        self._reactor = reactor
        self._url = url
        self._make = make
        self._version = amqp_versions.version_of(url)
        self._current = make(self._version, self._change)
        self._changing = False
        self._paused = False
        self._listener: Listener
        self._on_stopped: Callable[[], None] | None = None

    def start(self, listener: Listener) -> None:
        self._listener = listener
        self._current.start(listener)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._current.ack(deliveries)

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        self._current.publish(messages, on_outcome)

    def pause(self) -> None:
        self._paused = True
        self._current.pause()

    def resume(self) -> None:
        self._paused = False
        self._current.resume()

    def depth(self, on_depth: OnDepth) -> None:
        self._current.depth(on_depth)

    def stop(self, on_stopped: Callable[[], None]) -> None:
        if self._changing:
            self._on_stopped = on_stopped
        else:
            self._current.stop(on_stopped)

    def _change(self) -> None:
        """Said by either side of the transport, which has nothing under way then."""
        if not self._changing:
            self._changing = True
            self._version = self._version.other
            amqp_versions.answered(self._url, self._version)
            self._current.stop(lambda: self._reactor.call_later(_PAUSE, self._go_on))

    def _go_on(self) -> None:
        self._changing = False
        if self._on_stopped is not None:
            self._on_stopped()
            return
        self._current = self._make(self._version, self._change)
        if self._paused:
            self._current.pause()
        self._current.start(self._listener)
