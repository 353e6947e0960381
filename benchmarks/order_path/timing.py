"""How long orders take: `python -m benchmarks.order_path.timing BROKER PREFIX RATE COUNT`, a process of its own.

Sends COUNT orders, RATE a second, and prints their latencies in ms, a JSON list in the order they came through. Open
loop: an order is due when the rate says so, whatever became of those before, and its latency counts from then until
its routed message comes off the routed queue, which this process consumes. Each message's id says when it was due,
and comes back as the correlation id. With RATE 0 each order is sent alone, when the one before it is through.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

import pika

from benchmarks.order_path.load import body, properties
from benchmarks.order_path.stack import QUEUE, ROUTED

_PATIENCE = 10.0  # seconds that orders may still take when the last one has been sent
_TICK = 0.0005  # seconds between looks at what is due
_PAUSE = 0.01  # seconds from one lone order's end to the next one


class Timing:
    """`latencies` in ms; fewer than `count` where some were not through in time."""

    def __init__(self, broker: str, prefix: str, *, rate: float, count: int) -> None:
        self._prefix, self._rate, self._count = prefix, rate, count
        self._sent = 0
        self._ending = False
        self._failure: object = None
        self.latencies: list[float] = []
        self._connection = pika.SelectConnection(
            pika.URLParameters(broker),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_open_error_callback=lambda _, error: self._on_end(error),
            on_close_callback=lambda _, error: self._on_end(error),
        )
        self._loop = self._connection.ioloop

    def run(self) -> None:
        self._loop.start()
        if not self._ending:
            raise SystemExit(f"the broker ended the connection: {self._failure}")

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.basic_consume(ROUTED, self._on_routed, auto_ack=True, callback=lambda _: self._begin())

    def _begin(self) -> None:
        self._began = time.monotonic_ns()
        if self._rate:
            self._loop.call_later(self._count / self._rate + _PATIENCE, self._end)
            self._tick()
        else:
            self._loop.call_later(_PATIENCE + self._count * 0.1, self._end)
            self._send(time.monotonic_ns())

    def _tick(self) -> None:
        """Send whatever is due."""
        now = time.monotonic_ns()
        while self._sent < self._count and (due := self._due(self._sent)) <= now:
            self._send(due)
        if self._sent < self._count:
            self._loop.call_later(_TICK, self._tick)

    def _due(self, number: int) -> int:
        return self._began + round(number * 1e9 / self._rate)

    def _send(self, due: int) -> None:
        order_id = f"{self._prefix}-{self._sent:07d}"
        self._sent += 1
        self._channel.basic_publish("", QUEUE, body(order_id), properties(f"{due}-{order_id}"))

    def _on_routed(self, _channel: Any, _method: Any, routed: pika.BasicProperties, _body: bytes) -> None:
        due = int(routed.correlation_id.partition("-")[0])
        self.latencies.append((time.monotonic_ns() - due) / 1e6)
        if len(self.latencies) == self._count:
            self._end()
        elif not self._rate:
            self._loop.call_later(_PAUSE, lambda: self._send(time.monotonic_ns()))

    def _end(self) -> None:
        if not self._ending:
            self._ending = True
            self._connection.close()

    def _on_end(self, error: object) -> None:
        self._failure = error
        self._loop.stop()


def main() -> None:
    broker, prefix, rate, count = sys.argv[1:]
    gc.disable()  # its pauses would be taken for the contender's
    timing = Timing(broker, prefix, rate=float(rate), count=int(count))
    timing.run()
    json.dump([round(latency, 3) for latency in timing.latencies], sys.stdout)


if __name__ == "__main__":
    main()
