"""Waiting for SQL without holding up the loop.

A lane does its work one after the other, and where that waits for an answer of the lane's own connection the loop
serves everybody else. The code in between reads as if it waited: each work runs in a greenlet, which the connection
leaves when it has sent a statement and enters again when the answer is there.

Note on what to expect: between two statements of one work, and before and after, everything else may have happened.
Whoever shares state with other callbacks takes a copy before a statement, and removes what was done after it.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet
from psycopg import OperationalError
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from orders.sql import Sql
    from routing.reactor import Reactor

_LATE = Ready.NONE
_NONE = greenlet()  # nothing is running


class Lane:
    """The only user of `sql` while the loop turns. Outside of a work its statements hold up the loop."""

    def __init__(self, reactor: Reactor, sql: Sql) -> None:
        self.sql = sql
        sql.waiter = self
        self._reactor = reactor
        self._works: deque[Callable[[], None]] = deque()
        self._running: greenlet = _NONE

    @property
    def busy(self) -> bool:
        """Whether there is work, begun or not."""
        return self._running is not _NONE or bool(self._works)

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` when it is its turn: once, however often it is asked for until then."""
        if work not in self._works:
            self._works.append(work)
            if len(self._works) == 1 and self._running is _NONE:
                self._reactor.call_later(0, self._begin)

    def close(self) -> None:
        """Abandon what waits, with its statement and the connection."""
        self._works.clear()
        if self._running is not _NONE:
            self._running.throw(GreenletExit)
        self.sql.close()

    def _begin(self) -> None:
        if self._works:
            self._running = greenlet(self._do)
            self._running.switch(self._works.popleft())

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._running = _NONE
            if self._works:
                self._reactor.call_later(0, self._begin)

    # What the connection calls

    @property
    def entered(self) -> bool:
        return self._running is getcurrent()

    def wait(self, generator: PQGen[RV], fileno: int, patience: float) -> RV:
        """What `generator` returns: psycopg's, that yields what it waits for on the socket.

        Raises `OperationalError` when nothing comes for `patience` seconds.
        """
        try:
            wanted = next(generator)
        except StopIteration as end:
            result: RV = end.value
            return result
        # libpq closes its socket as soon as it finds the connection lost; a closed one cannot be let go of.
        watched = os.dup(fileno)
        self._reactor.add_handler(watched, self._on_ready, _events(wanted))
        try:
            return self._drive(generator, wanted, watched, patience)
        finally:
            self._reactor.remove_handler(watched)
            os.close(watched)

    def _drive(self, generator: PQGen[RV], wanted: Wait, watched: int, patience: float) -> RV:
        while True:
            ready = self._ready(watched, patience)
            try:
                wants = generator.send(ready)
            except StopIteration as end:
                result: RV = end.value
                return result
            if wants != wanted:
                wanted = wants
                self._reactor.update_handler(watched, _events(wanted))

    def _ready(self, watched: int, patience: float) -> Ready:
        """Leave; what the socket is ready for when entered again."""
        timer = self._reactor.call_later(patience, self._on_late)
        try:
            ready: Ready = self._running.parent.switch()
        finally:
            self._reactor.remove_timeout(timer)
        # After something else held up the loop for as long, the answer may be there all the same.
        if ready is _LATE and not (ready := _ready_now(watched)):
            raise OperationalError("wait timeout expired")
        return ready

    def _on_ready(self, _fd: int, events: int) -> None:
        self._running.switch(_ready(events))

    def _on_late(self) -> None:
        self._running.switch(_LATE)


def _events(wanted: Wait) -> int:
    return (select.POLLIN if wanted & Wait.R else 0) | (select.POLLOUT if wanted & Wait.W else 0)


def _ready(events: int) -> Ready:
    """An error shows when it is read."""
    return Ready((Ready.R if events & ~select.POLLOUT else 0) | (Ready.W if events & select.POLLOUT else 0))


def _ready_now(fileno: int) -> Ready:
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    found = poll.poll(0)
    return _ready(found[0][1]) if found else Ready.NONE
