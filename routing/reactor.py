"""The one event loop of a process: pika's, which also drives libcurl's sockets, timers and the embedded queue."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pika.adapters.select_connection import IOLoop

_MOST_SIGNALS = 64  # read at once


class Reactor(IOLoop):  # type: ignore[misc]
    """An IOLoop on which an unexpected error stops the process loudly.

    Note on guarding: pika swallows an exception raised inside a confirm or consume callback (it closes the
    connection without a word and the loop goes on). Every callback handed to pika goes through `guard`, which
    keeps the first error and stops the loop; `run` raises it.

    Note on signals: a handler runs in the midst of anything, and may find this thread holding the very lock it
    needs to wake the loop. So nothing is done in handlers: Python writes the signal's number to a socket, which
    the loop reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failure: BaseException | None = None
        self._soon: set[Callable[[], None]] = set()

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` on the next turn: once, however often it is asked for until then."""
        if work not in self._soon:
            self._soon.add(work)
            self.call_later(0, partial(self._do, work))

    def _do(self, work: Callable[[], None]) -> None:
        self._soon.remove(work)
        work()

    def guard(self, callback: Callable[..., Any]) -> Callable[..., None]:
        """`callback`, such that its error ends `run` instead of vanishing."""

        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                callback(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - kept and raised by run()
                self.fail(error)

        return guarded

    @contextmanager
    def on_signals(self, numbers: Collection[signal.Signals], callback: Callable[[], None]) -> Iterator[None]:
        """Inside the block each of these signals has `callback` called on the loop. For the main thread only."""
        reading, writing = socket.socketpair()

        def received(_fd: int, _events: int) -> None:
            for number in reading.recv(_MOST_SIGNALS):
                if number in numbers:
                    callback()

        with reading, writing:
            reading.setblocking(False)
            writing.setblocking(False)
            before = {number: signal.signal(number, lambda *_: None) for number in numbers}
            woken_before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
            self.add_handler(reading.fileno(), received, self.READ)
            try:
                yield
            finally:
                self.remove_handler(reading.fileno())
                signal.set_wakeup_fd(woken_before)
                for number, handler in before.items():
                    signal.signal(number, handler)

    def fail(self, error: BaseException) -> None:
        """Stop the loop; `run` raises `error`."""
        if self._failure is None:
            self._failure = error
        self.stop()

    def run(self) -> None:
        """Turn until `stop`; raise what `guard` or `fail` kept."""
        self.start()
        if self._failure is not None:
            raise self._failure
