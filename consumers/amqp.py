"""AMQP, of either version: the transport port over one connection to consume and one to publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from consumers.transport import Delivery, Listener, Message, OnDepth, OnOutcome


class Consumer(Protocol):
    """The half of `Transport` that takes messages."""

    def start(self, listener: Listener) -> None: ...
    def ack(self, deliveries: Sequence[Delivery]) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def depth(self, on_depth: OnDepth) -> None: ...
    def stop(self, on_stopped: Callable[[], None]) -> None: ...


class Publisher(Protocol):
    """The other half; `on_up` and `on_down` as of a `Listener`."""

    def start(self, on_up: Callable[[], None], on_down: Callable[[str, str], None]) -> None: ...
    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None: ...
    def stop(self, on_stopped: Callable[[], None]) -> None: ...


class _Once:
    """Calls `action` the first time it is called, whatever it is told."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def __call__(self, *_: object) -> None:
        action, self._action = self._action, None
        if action:
            action()


class AmqpTransport:
    """A `Transport` of the sides it is given. What consumes is what is up or down; else what publishes."""

    def __init__(self, consumer: Consumer | None, publisher: Publisher | None) -> None:
        self._consumer = consumer
        self._publisher = publisher

    def start(self, listener: Listener) -> None:
        """Consuming begins once publishing is possible, or is known not to be: it must not wait for that."""
        if self._publisher is None:
            self._consuming().start(listener)
        elif self._consumer is None:
            self._publisher.start(listener.on_up, listener.on_down)
        else:
            consume = _Once(partial(self._consumer.start, listener))
            self._publisher.start(consume, consume)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._consuming().ack(deliveries)

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        if self._publisher is None:
            raise RuntimeError("this transport was made without a queue to publish to")
        self._publisher.publish(messages, on_outcome)

    def pause(self) -> None:
        self._consuming().pause()

    def resume(self) -> None:
        self._consuming().resume()

    def depth(self, on_depth: OnDepth) -> None:
        self._consuming().depth(on_depth)

    def stop(self, on_stopped: Callable[[], None]) -> None:
        sides = [side for side in (self._consumer, self._publisher) if side is not None]
        left = len(sides)

        def stopped() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                on_stopped()

        for side in sides:
            side.stop(stopped)

    def _consuming(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError("this transport was made without a queue to consume from")
        return self._consumer
