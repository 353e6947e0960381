"""A reactor that turns until something is so, and a listener that remembers what it was told."""

from __future__ import annotations

import time
from collections.abc import Callable

from consumers.transport import Delivery, Message, Outcome, Transport
from routing.reactor import Reactor

PATIENCE = 20.0
_POLL = 0.005  # seconds


class Loop:
    def __init__(self) -> None:
        self.reactor = Reactor()
        self._condition: Callable[[], object] = lambda: False

    def until(self, condition: Callable[[], object], *, patience: float = PATIENCE) -> None:
        """Turn until `condition()`; it is looked at after each `look`."""
        if condition():
            return
        self._condition = condition
        overdue = self.reactor.call_later(
            patience, lambda: self.reactor.fail(AssertionError(f"not so within {patience:g} s"))
        )
        self.reactor.run()
        self.reactor.remove_timeout(overdue)

    def poll(self, condition: Callable[[], object], *, patience: float = PATIENCE) -> None:
        """Turn until `condition()`, which nothing on the loop announces; it is looked at every few milliseconds."""
        until = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < until, f"not so within {patience:g} s"
            self.turn_for(_POLL)

    def turn_for(self, seconds: float) -> None:
        self.reactor.call_later(seconds, self.reactor.stop)
        self.reactor.run()

    def look(self) -> None:
        if self._condition():
            self._condition = lambda: False
            self.reactor.stop()


class Side:
    """A transport of the test and all it has said. `acks`: acknowledge each delivery as it comes."""

    def __init__(self, loop: Loop, transport: Transport, *, acks: bool = False) -> None:
        self._loop = loop
        self._acks = acks
        self.transport = transport
        self.deliveries: list[Delivery] = []
        self.ups = 0
        self.downs: list[str] = []
        self.outcomes: list[tuple[int, Outcome]] = []
        self.depths: list[int | None] = []
        self.stopped = 0

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]

    def on_delivery(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._acks:
            self.transport.ack([delivery])
        self._loop.look()

    def on_up(self) -> None:
        self.ups += 1
        self._loop.look()

    def on_down(self, reason: str, queue: str) -> None:
        self.downs.append(reason)
        self._loop.look()

    def start(self) -> None:
        """Start and be up."""
        self.transport.start(self)
        self._loop.until(lambda: self.ups)

    def await_deliveries(self, count: int) -> None:
        self._loop.until(lambda: len(self.deliveries) >= count)

    def send(self, messages: list[Message]) -> None:
        self.transport.publish(messages, self._on_outcome)

    def publish(self, messages: list[Message]) -> list[Outcome]:
        """Publish and await the outcomes, in the order of the messages."""
        self.outcomes.clear()
        self.send(messages)
        self._loop.until(lambda: len(self.outcomes) >= len(messages))
        return [outcome for _, outcome in sorted(self.outcomes, key=lambda pair: pair[0])]

    def _on_outcome(self, index: int, outcome: Outcome) -> None:
        self.outcomes.append((index, outcome))
        self._loop.look()

    def ask_depth(self) -> None:
        self.transport.depth(self._on_depth)

    def depth(self) -> int | None:
        self.depths.clear()
        self.ask_depth()
        self._loop.until(lambda: self.depths)
        return self.depths[0]

    def await_depth_0(self) -> None:
        """Ask until the answer is 0: until then it may also be None, where a transport cannot count."""
        until = time.monotonic() + PATIENCE
        while self.depth() != 0:
            assert time.monotonic() < until, f"no depth of 0 within {PATIENCE:g} s"

    def _on_depth(self, depth: int | None) -> None:
        self.depths.append(depth)
        self._loop.look()

    def stop(self) -> None:
        self.transport.stop(self._on_stopped)
        self._loop.until(lambda: self.stopped)

    def _on_stopped(self) -> None:
        self.stopped += 1
        self._loop.look()
