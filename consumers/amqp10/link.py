"""One AMQP 1.0 connection, kept up: watched, and connected again when it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import pika

from consumers.amqp10.connection import Connection, Side
from consumers.amqp10.engine import Ended
from consumers.amqp10.errors import explain, explain_lost, is_refused_login, speaks_0_9_1
from consumers.amqp_parameters import credentials_refused
from routing.backoff import delay
from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_BASE, _CAP = 0.1, 10.0  # seconds between tries
_FAREWELL = 2.0  # seconds a broker has to answer our goodbye

Parameters = Callable[[], Sequence[pika.ConnectionParameters]]


class KeptSide(Side, Protocol):
    """One that outlives its connections."""

    def on_lost(self, reason: str) -> None:
        """Once for each session that had begun, and for each try that failed."""


class Link:
    """The hosts of `parameters()` are tried in turn. `queue` is what it is for, named in complaints.

    `on_other_version`: called in place of another try where the broker answers as AMQP 0-9-1 does.
    """

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        side: KeptSide,
        *,
        queue: str,
        purpose: str,
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._parameters = parameters
        self._side = side
        self._queue = queue
        self._purpose = purpose
        self._on_other_version = on_other_version
        self._connection: Connection | None = None
        self._tries = 0
        self._failures = 0
        self._timer: object | None = None
        self._on_closed: Callable[[], None] | None = None

    def open(self) -> None:
        self._timer = self._reactor.call_later(0, self._connect)

    def established(self) -> None:
        """The owner has all it wants: the next failure is a first one."""
        self._failures = 0

    def flush(self) -> None:
        """Send what has been done to the engine."""
        if self._connection is not None:
            self._connection.flush()

    def drop(self, reason: str) -> None:
        """End this session, as if the broker had."""
        if self._connection is not None:
            self._connection.abort()
            self._try_again(reason)

    def close(self, on_closed: Callable[[], None]) -> None:
        """Say goodbye, for two seconds at most; `on_closed` is called once, the side's `on_lost` no more."""
        self._on_closed = on_closed
        self._cancel_timer()
        if self._connection is not None and self._connection.say_goodbye():
            self._timer = self._reactor.call_later(_FAREWELL, self._closed)
        else:
            self._timer = self._reactor.call_later(0, self._closed)

    def _connect(self) -> None:
        self._timer = None
        try:
            hosts = self._parameters()
        except ValueError as error:
            self._try_again(str(error))
            return
        host = hosts[self._tries % len(hosts)]
        self._tries += 1
        self._connection = Connection(
            self._reactor, host, self._side, purpose=self._purpose, on_over=self._on_over
        )
        self._connection.open()

    def _on_over(
        self, host: pika.ConnectionParameters, ended: Ended | None, error: BaseException | None
    ) -> None:
        if self._on_closed is not None:
            self._closed()
            return
        if ended is not None and is_refused_login(ended):
            credentials_refused(host.credentials)
        if ended is not None and speaks_0_9_1(ended) and self._on_other_version is not None:
            self._connection = None
            self._on_other_version()
            return
        words = explain_lost(error) if ended is None else explain(ended, self._queue)
        self._try_again(f"{host.host}:{host.port}: {words}")

    def _try_again(self, reason: str) -> None:
        self._connection = None
        self._failures += 1
        wait = delay(self._failures, base=_BASE, cap=_CAP)
        logger.warning("no connection for queue %s, next try in %.1f s: %s", self._queue, wait, reason)
        self._timer = self._reactor.call_later(wait, self._connect)
        self._side.on_lost(reason)

    def _closed(self) -> None:
        self._cancel_timer()
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            # After the callback by which pika's layer closes the socket.
            self._reactor.add_callback(on_closed)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None
