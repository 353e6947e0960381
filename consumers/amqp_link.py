"""One AMQP 0-9-1 connection with one channel, kept up: watched, and connected again when it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika import exceptions
from pika.channel import Channel

from consumers.amqp_connection import Connection
from consumers.amqp_errors import explain, is_refused_login
from consumers.amqp_parameters import credentials_refused
from routing.backoff import delay
from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_BASE, _CAP = 0.1, 10.0  # seconds between tries
_FAREWELL = 2.0  # seconds a broker has to answer our goodbye

Parameters = Callable[[], Sequence[pika.ConnectionParameters]]


class Link:
    """`on_channel` gets each new channel; `on_lost` the reason, once for each session and each failed try.

    The hosts of `parameters()` are tried in turn. `queue` is what the channel is for, named in complaints.
    `on_other_version`: called in place of another try where the broker answers in AMQP 1.0.
    """

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
        self._parameters = parameters
        self._queue = queue
        self._on_channel = on_channel
        self._on_lost = on_lost
        self._on_other_version = on_other_version
        self._connection: Any = None  # a Connection, from the first step of connecting on
        self._alive: set[Any] = set()  # that one, and those before it that are still saying goodbye
        self._host = ""
        self._tries = 0
        self._failures = 0
        self._timer: object | None = None
        self._on_closed: Callable[[], None] | None = None

    def open(self) -> None:
        self._timer = self._reactor.call_later(0, self._connect)

    def established(self) -> None:
        """The owner has all it wants: the next failure is a first one."""
        self._failures = 0

    def drop(self, reason: str) -> None:
        """End this session, as if the broker had."""
        if self._connection is not None:
            self._end(self._connection, reason)

    def close(self, on_closed: Callable[[], None]) -> None:
        """Say goodbye, for two seconds at most; `on_closed` is called once, `on_lost` no more."""
        self._on_closed = on_closed
        self._cancel_timer()
        if not self._alive:
            self._timer = self._reactor.call_later(0, self._closed)
            return
        self._timer = self._reactor.call_later(_FAREWELL, self._give_up)
        if self._connection is not None:
            if self._connection.is_open:
                self._connection.close()
            else:
                _terminate(self._connection)

    def _connect(self) -> None:
        self._timer = None
        try:
            hosts = self._parameters()
        except ValueError as error:
            self._try_again(str(error))
            return
        host = hosts[self._tries % len(hosts)]
        self._host = f"{host.host}:{host.port}"
        self._tries += 1
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
        if channel.connection is self._connection and self._on_closed is None:
            channel.add_on_close_callback(self._reactor.guard(self._on_channel_ended))
            self._on_channel(channel)

    def _on_channel_ended(self, channel: Channel, error: Exception) -> None:
        if self._on_closed is None:
            self._end(channel.connection, explain(error, self._queue))

    def _on_connection_ended(self, connection: Connection, error: BaseException) -> None:
        self._alive.discard(connection)
        if is_refused_login(error):
            credentials_refused(connection.params.credentials)
        if self._on_other_version is not None and self._on_closed is None and connection.answered_1_0:
            self._connection = None
            self._on_other_version()
        elif self._on_closed is None:
            self._end(connection, f"{self._host}: {explain(error, self._queue)}")
        elif not self._alive:
            self._closed()

    def _end(self, connection: Any, reason: str) -> None:
        if connection is self._connection:
            self._connection = None
            if connection.is_open:
                connection.close()
            self._try_again(reason)

    def _try_again(self, reason: str) -> None:
        self._failures += 1
        wait = delay(self._failures, base=_BASE, cap=_CAP)
        logger.warning("no connection for queue %s, next try in %.1f s: %s", self._queue, wait, reason)
        self._timer = self._reactor.call_later(wait, self._connect)
        self._on_lost(reason)

    def _give_up(self) -> None:
        for connection in self._alive:
            _terminate(connection)

    def _closed(self) -> None:
        self._cancel_timer()
        self._connection = None
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            on_closed()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None


def _terminate(connection: Any) -> None:
    """End a connection without its broker's consent; its callback follows.

    Note on a private method: pika has no public one for a broker that does not answer, and its `close` fails
    with an AssertionError (1.4.4) while a connection is being opened.
    """
    connection._terminate_stream(exceptions.StreamLostError("given up"))  # noqa: SLF001
