"""One AMQP 0-9-1 connection with one channel, kept up: watched, and connected again when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from pika import exceptions
from pika.channel import Channel

from consumers.amqp_connection import Connection
from consumers.amqp_errors import explain, is_refused_login
from consumers.amqp_parameters import credentials_refused
from consumers.amqp_reconnecting import Parameters, Reconnecting
from routing.reactor import Reactor


class Link:
    """`on_channel` gets each new channel; `queue` is what it is for. The others: see `Reconnecting`."""

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        on_channel: Callable[[Channel], None],
        on_lost: Callable[[str], None],
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._on_channel = on_channel
        self._reconnecting = Reconnecting(
            reactor,
            parameters,
            queue=queue,
            connect=self._connect,
            on_lost=on_lost,
            on_other_version=on_other_version,
        )
        self._connection: Any = None  # a Connection, from the first step of connecting on
        self._alive: set[Any] = set()  # that one, and those before it that are still saying goodbye
        self._host = ""

    def open(self) -> None:
        self._reconnecting.begin()

    def established(self) -> None:
        """The owner has all it wants."""
        self._reconnecting.established()

    def drop(self, reason: str) -> None:
        """End this session, as if the broker had."""
        if self._connection is not None:
            self._end(self._connection, reason)

    def close(self, on_closed: Callable[[], None]) -> None:
        """Say goodbye, for two seconds at most; `on_closed` is called once, `on_lost` no more."""
        self._reconnecting.end(on_closed, say_goodbye=self._say_goodbye, give_up=self._give_up)

    def _connect(self, host: pika.ConnectionParameters) -> None:
        self._host = f"{host.host}:{host.port}"
        guard = self._reactor.guard
        self._connection = Connection(
            host,
            on_open_callback=guard(self._on_open),
            on_open_error_callback=guard(self._on_connection_ended),
            on_close_callback=guard(self._on_connection_ended),
            custom_ioloop=self._reactor,
        )
        self._alive.add(self._connection)

    def _on_open(self, connection: Connection) -> None:
        connection.channel(on_open_callback=self._reactor.guard(self._on_channel_open))

    def _on_channel_open(self, channel: Channel) -> None:
        if channel.connection is self._connection and not self._reconnecting.ending:
            channel.add_on_close_callback(self._reactor.guard(self._on_channel_ended))
            self._on_channel(channel)

    def _on_channel_ended(self, channel: Channel, error: Exception) -> None:
        if not self._reconnecting.ending:
            self._end(channel.connection, explain(error, self._queue))

    def _on_connection_ended(self, connection: Connection, error: BaseException) -> None:
        self._alive.discard(connection)
        if is_refused_login(error):
            credentials_refused(connection.params.credentials)
        if not self._reconnecting.ending:
            reason = f"{self._host}: {explain(error, self._queue)}"
            self._end(connection, reason, other_version=connection.answered_1_0)
        elif not self._alive:
            self._closed()

    def _end(self, connection: Any, reason: str, *, other_version: bool = False) -> None:
        if connection is self._connection:
            self._connection = None
            if connection.is_open:
                connection.close()
            self._reconnecting.lost(reason, other_version=other_version)

    def _say_goodbye(self) -> bool:
        if self._connection is not None:
            if self._connection.is_open:
                self._connection.close()
            else:
                _terminate(self._connection)
        return bool(self._alive)

    def _give_up(self) -> None:
        for connection in self._alive:
            _terminate(connection)
        if not self._alive:
            self._closed()

    def _closed(self) -> None:
        self._connection = None
        self._reconnecting.ended()


def _terminate(connection: Any) -> None:
    """End a connection without its broker's consent; its callback follows.

    Note on a private method: pika has no public one for a broker that does not answer, and its `close` fails
    with an AssertionError (1.4.4) while a connection is being opened.
    """
    connection._terminate_stream(exceptions.StreamLostError("given up"))  # noqa: SLF001
