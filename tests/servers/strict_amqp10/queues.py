"""Queues: what waits, who takes it, and what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from tests.servers.strict_amqp10.messages import Stored, Unacceptable


class Taker(Protocol):
    """A link that receives from a queue."""

    def wants(self) -> bool: ...
    def give(self, message: Stored, number: int) -> None: ...
    def has_seen_all(self) -> None:
        """Nothing more is there for it now."""

    def end(self, condition: str, reason: str) -> None: ...


class Queue:
    """`limit`: messages it takes at most. Numbers keep the order in which messages came."""

    def __init__(self, name: str, *, limit: int | None = None) -> None:
        self.name = name
        self.limit = limit
        self.stopped = False  # nobody may send to it
        self.ready: deque[tuple[int, Stored]] = deque()
        self.takers: deque[Taker] = deque()
        self.feeders: set[Taker] = set()
        self.held = 0
        self._last = 0

    def put(self, message: Stored) -> None:
        """Raises `Unacceptable` where it is full."""
        if self.limit is not None and len(self.ready) + self.held >= self.limit:
            raise Unacceptable("amqp:resource-limit-exceeded", f"queue {self.name} is full")
        self._last += 1
        self.ready.append((self._last, message))

    def dispatch(self) -> None:
        """Hand out what is ready, in turns to all that want some."""
        idle = 0
        while self.ready and idle < len(self.takers):
            taker = self.takers[0]
            self.takers.rotate(-1)
            if taker.wants():
                idle = 0
                number, message = self.ready.popleft()
                self.held += 1
                taker.give(message, number)
            else:
                idle += 1
        if not self.ready:
            for taker in self.takers:
                taker.has_seen_all()

    def done(self) -> None:
        self.held -= 1

    def give_back(self, messages: Iterable[tuple[int, Stored]], *, failed: bool) -> None:
        """To their places; `failed` counts as an attempt, as a queue manager's backout count does."""
        returned = sorted(messages, key=lambda one: one[0])
        for _, message in returned:
            message.count += failed
        self.held -= len(returned)
        if returned and self.ready and returned[-1][0] > self.ready[0][0]:
            self.ready = deque(sorted([*returned, *self.ready], key=lambda one: one[0]))
        else:
            self.ready.extendleft(reversed(returned))

    def forget_what_is_not_durable(self) -> None:
        self.ready = deque(one for one in self.ready if one[1].durable)
