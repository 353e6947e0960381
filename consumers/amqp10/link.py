"""One AMQP 1.0 connection, kept up: watched, and connected again when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pika

from consumers.amqp10.connection import Connection, Side
from consumers.amqp10.engine import Ended
from consumers.amqp10.errors import explain, explain_lost, is_refused_login, speaks_0_9_1
from consumers.amqp_parameters import credentials_refused
from consumers.amqp_reconnecting import Parameters, Reconnecting
from routing.reactor import Reactor


class KeptSide(Side, Protocol):
    """One that outlives its connections."""

    def on_lost(self, reason: str) -> None:
        """Once for each session that had begun, and for each try that failed."""


class Link:
    """`purpose` is shown at the broker, `queue` is what the connection is for. The others: see `Reconnecting`."""

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
        self._side = side
        self._queue = queue
        self._purpose = purpose
        self._reconnecting = Reconnecting(
            reactor,
            parameters,
            queue=queue,
            connect=self._connect,
            on_lost=side.on_lost,
            on_other_version=on_other_version,
        )
        self._connection: Connection | None = None

    def open(self) -> None:
        self._reconnecting.begin()

    def established(self) -> None:
        """The owner has all it wants."""
        self._reconnecting.established()

    def flush(self) -> None:
        """Send what has been done to the engine."""
        if self._connection is not None:
            self._connection.flush()

    def drop(self, reason: str) -> None:
        """End this session, as if the broker had."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
            self._reconnecting.lost(reason)

    def close(self, on_closed: Callable[[], None]) -> None:
        """Say goodbye, for two seconds at most; `on_closed` is called once, the side's `on_lost` no more."""
        self._reconnecting.end(on_closed, say_goodbye=self._say_goodbye, give_up=self._closed)

    def _connect(self, host: pika.ConnectionParameters) -> None:
        self._connection = Connection(
            self._reactor, host, self._side, purpose=self._purpose, on_over=self._on_over
        )
        self._connection.open()

    def _on_over(
        self, host: pika.ConnectionParameters, ended: Ended | None, error: BaseException | None
    ) -> None:
        if self._reconnecting.ending:
            self._closed()
            return
        if ended is not None and is_refused_login(ended):
            credentials_refused(host.credentials)
        self._connection = None
        words = explain_lost(error) if ended is None else explain(ended, self._queue)
        other_version = ended is not None and speaks_0_9_1(ended)
        self._reconnecting.lost(f"{host.host}:{host.port}: {words}", other_version=other_version)

    def _say_goodbye(self) -> bool:
        return self._connection is not None and self._connection.say_goodbye()

    def _closed(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        # After the callback by which pika's layer closes the socket.
        self._reactor.add_callback(self._reconnecting.ended)
