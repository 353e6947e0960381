"""A connection to one host, TLS included, on the reactor: pika's own layer for it, which its connections use too."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.utils.nbio_interface import AbstractStreamProtocol
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from routing.reactor import Reactor


class Wire(AbstractStreamProtocol):  # type: ignore[misc]
    """`on_up()` once it stands, `on_data(bytes)` for what comes, `on_lost(error)` once, None where nobody failed.

    After `abort` nothing is called any more.
    """

    def __init__(
        self,
        reactor: Reactor,
        parameters: pika.ConnectionParameters,
        *,
        on_up: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_lost: Callable[[BaseException | None], None],
    ) -> None:
        self._reactor = reactor
        self._parameters = parameters
        self._on_up = on_up
        self._on_data = on_data
        self._on_lost = on_lost
        self._services = SelectorIOServicesAdapter(reactor)
        self._addresses: list[Any] = []
        self._under_way: Any = None  # what of connecting can be cancelled
        self._socket: socket.socket | None = None  # until the stream owns it
        self._stream: Any = None
        self._over = False

    def open(self) -> None:
        parameters = self._parameters
        self._timer: object | None = self._reactor.call_later(parameters.socket_timeout, self._timed_out)
        self._under_way = self._services.getaddrinfo(
            parameters.host,
            parameters.port,
            self._reactor.guard(self._on_addresses),
            socktype=socket.SOCK_STREAM,
        )

    def write(self, data: bytes) -> None:
        if data and self._stream is not None:
            self._stream.write(data)

    def abort(self) -> None:
        if not self._over:
            self._over = True
            self._release()

    def _on_addresses(self, found: Any) -> None:
        if isinstance(found, BaseException):
            self._fail(found)
            return
        self._addresses = list(found)
        self._try_next()

    def _try_next(self) -> None:
        family, kind, protocol, _, address = self._addresses.pop(0)
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._under_way = self._services.connect_socket(
            self._socket, address, self._reactor.guard(self._on_connected)
        )

    def _on_connected(self, error: BaseException | None) -> None:
        if self._over or self._socket is None:
            return
        if error is not None:
            self._socket.close()
            self._socket = None
            if self._addresses:
                self._try_next()
            else:
                self._fail(error)
            return
        tls = self._parameters.ssl_options
        owned, self._socket = self._socket, None
        self._under_way = self._services.create_streaming_connection(
            lambda: self,
            owned,
            self._reactor.guard(self._on_stream),
            ssl_context=tls.context if tls else None,
            server_hostname=tls.server_hostname if tls else None,
        )

    def _on_stream(self, result: Any) -> None:
        self._under_way = None
        if isinstance(result, BaseException):
            self._fail(result)
        elif not self._over:
            self._cancel_timer()
            self._on_up()

    def _timed_out(self) -> None:
        self._timer = None
        self._fail(TimeoutError(f"no connection within {self._parameters.socket_timeout:g} s"))

    def _fail(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self._release()
            self._on_lost(error)

    def _release(self) -> None:
        self._cancel_timer()
        if self._under_way is not None:
            self._under_way.cancel()
        if self._socket is not None:
            self._socket.close()
        if self._stream is not None:
            self._stream.abort()
        self._under_way = self._socket = self._stream = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None

    # What the stream calls; an error that came out of these would be taken for one of the network.

    def connection_made(self, transport: Any) -> None:
        self._stream = transport

    def connection_lost(self, error: BaseException | None) -> None:
        self._stream = None
        self._reactor.guard(self._fail)(error)

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        if not self._over:
            self._reactor.guard(self._on_data)(data)
