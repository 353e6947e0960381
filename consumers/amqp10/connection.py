"""One AMQP 1.0 connection from its first to its last byte: a wire and the engine behind it, with heartbeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import pika

from consumers.amqp10.engine import Ended, Engine
from consumers.amqp10.wire import Wire
from routing.reactor import Reactor

_LEAST_TICK = 0.05  # seconds


class Side(Protocol):
    """What consumes or publishes over the link; see `engine.Owner` for what it is told of an engine."""

    def on_attachable(self, engine: Engine) -> None: ...
    def on_link(self, link: Any) -> None: ...
    def on_flow(self, link: Any) -> None: ...
    def on_deliveries(self, deliveries: list[Any]) -> None: ...
    def on_refused(self, ended: Ended) -> None: ...


class Connection:
    """`on_over(host, why it ended, what became of the wire)` is called once, but after `abort`."""

    def __init__(
        self,
        reactor: Reactor,
        host: pika.ConnectionParameters,
        side: Side,
        *,
        purpose: str,
        on_over: Callable[[pika.ConnectionParameters, Ended | None, BaseException | None], None],
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._side = side
        self._on_over = on_over
        self._engine = Engine(host, self, purpose=purpose)
        self._wire = Wire(reactor, host, on_up=self._on_up, on_data=self._on_data, on_lost=self._on_lost)
        self._up = False
        self._over = False
        self._timer: object | None = None

    def open(self) -> None:
        self._timer = self._reactor.call_later(self._host.stack_timeout, self._not_in_time)
        self._wire.open()

    def flush(self) -> None:
        if self._up:
            self._wire.write(self._engine.output())

    def say_goodbye(self) -> bool:
        """Whether there is somebody to answer it."""
        if self._up:
            self._engine.close()
            self.flush()
        return self._up

    def abort(self) -> None:
        self._over = True
        self._up = False
        self._cancel_timer()
        self._wire.abort()

    def on_open(self) -> None:
        if not self._over:
            self._cancel_timer()
            self._timer = self._reactor.call_later(0, self._tick)
            self._side.on_attachable(self._engine)

    def on_link(self, link: Any) -> None:
        if not self._over:
            self._side.on_link(link)

    def on_flow(self, link: Any) -> None:
        if not self._over:
            self._side.on_flow(link)

    def on_deliveries(self, deliveries: list[Any]) -> None:
        if not self._over:
            self._side.on_deliveries(deliveries)

    def on_refused(self, ended: Ended) -> None:
        if not self._over:
            self._side.on_refused(ended)

    def _on_up(self) -> None:
        self._up = True
        self.flush()

    def _on_data(self, data: bytes) -> None:
        self._engine.receive(data)
        self._after()

    def _on_lost(self, error: BaseException | None) -> None:
        if error is None:
            self._engine.receive_end()
        self._up = False
        self._end(self._engine.ended, error)

    def _after(self) -> None:
        """Send what there is to send; look whether it is over."""
        self.flush()
        # It may be by what it sends that the engine finds out that it is over.
        self._engine.notice()
        if self._engine.ended is not None:
            self._end(self._engine.ended, None)

    def _tick(self) -> None:
        """Heartbeats. Called as often as they are due, and four times as often as ours are missed."""
        self._timer = None
        now = time.monotonic()
        deadline = self._engine.tick(now)
        wait = self._host.heartbeat / 4
        if deadline:
            wait = min(wait, max(_LEAST_TICK, deadline - now))
        self._timer = self._reactor.call_later(wait, self._tick)
        self._after()

    def _not_in_time(self) -> None:
        self._timer = None
        self._end(None, TimeoutError(f"the broker has not let us in within {self._host.stack_timeout:g} s"))

    def _end(self, ended: Ended | None, error: BaseException | None) -> None:
        if not self._over:
            self.abort()
            self._on_over(self._host, ended, error)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None
