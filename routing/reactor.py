"""The one event loop of a process: pika's, which also drives libcurl's sockets, timers and the embedded queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pika.adapters.select_connection import IOLoop


class Reactor(IOLoop):  # type: ignore[misc]
    """An IOLoop on which an unexpected error stops the process loudly.

    Note on guarding: pika swallows an exception raised inside a confirm or consume callback (it closes the
    connection without a word and the loop goes on). Every callback handed to pika goes through `guard`, which
    keeps the first error and stops the loop; `run` raises it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failure: BaseException | None = None

    def guard(self, callback: Callable[..., Any]) -> Callable[..., None]:
        """`callback`, such that its error ends `run` instead of vanishing."""

        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                callback(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - kept and raised by run()
                self.fail(error)

        return guarded

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
