"""libcurl's transfers on the reactor: many at once, no thread, no waiting.

Note on re-entry: libcurl must not be called from inside its own callbacks. The two it has here only tell the
reactor what to watch; transfers are driven from the reactor's handlers, and whoever owns them is told from
there, after libcurl has returned. An error inside a callback would be printed and forgotten by pycurl: both
go through `Reactor.guard`, which stops the process loudly.

Note on kept connections: libcurl looks for dead ones only once a second, and would send a request into one
that the peer has closed since. So each handle keeps a connection of its own, not one of a common pool: then
it is known which one is next, and a look at its socket before each transfer costs a microsecond.

Note on sockets: they have an epoll of their own, whose descriptor is all that the reactor watches. What is ready is
handed over together, and libcurl asked once what has ended. libcurl lets go of a socket after each transfer and takes
it up again with the next one: it stays watched in between, until it has something to say to nobody.

Note on the timer: libcurl sets its one timer anew with each step of each transfer. The reactor's stays where it is
unless it would come too late; where it comes too early, it is set again.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pycurl

from routing.reactor import Reactor

_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class Multi:
    """Runs easy handles; `on_done(handle, code, message)` once for each that ended by itself.

    `code` is libcurl's, 0 for a complete answer. The handle is free again by then.
    """

    def __init__(self, reactor: Reactor, *, on_done: Callable[[pycurl.Curl, int, str], None]) -> None:
        self._reactor = reactor
        self._on_done = on_done
        self._sockets = select.epoll()
        reactor.add_handler(self._sockets.fileno(), self._on_ready, reactor.READ)
        self._wanted: dict[int, int] = {}  # events, by the number of a socket in a transfer
        self._looks: dict[int, select.poll] = {}  # by the socket's number
        self._timer: Any = None
        self._timer_at = 0.0  # monotonic, as the next
        self._due: float | None = None  # when libcurl wants to be called
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)  # kept, of each handle's own
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, reactor.guard(self._watch))
        self._multi.setopt(pycurl.M_TIMERFUNCTION, reactor.guard(self._set_timer))

    def handle(self) -> pycurl.Curl:
        """A new easy handle, with a kept connection of its own."""
        own = pycurl.CurlShare()
        own.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        handle = pycurl.Curl()
        handle.setopt(pycurl.SHARE, own)
        return handle

    def add(self, handle: pycurl.Curl) -> None:
        """Begin a transfer, on the reactor's next turn."""
        kept = handle.getinfo(pycurl.ACTIVESOCKET)
        handle.setopt(pycurl.FRESH_CONNECT, kept < 0 or self._speaks(kept))
        self._multi.add_handle(handle)

    def abort(self, handle: pycurl.Curl) -> None:
        """End a transfer without `on_done`. Its connection is closed, not kept."""
        with suppress(pycurl.error):  # one that has ended, and whose owner is about to be told
            self._multi.remove_handle(handle)

    def close(self) -> None:
        """Close all connections. Aborted transfers call nobody."""
        if self._sockets.closed:
            return
        self._multi.close()
        self._due = None
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None
        self._reactor.remove_handler(self._sockets.fileno())
        self._sockets.close()

    # Called by libcurl.

    def _watch(self, interest: int, fd: int, _multi: object, _data: object) -> None:
        # At once: after libcurl has returned, `fd` may be the number of another socket.
        if interest == pycurl.POLL_REMOVE:
            self._wanted.pop(fd, None)
            return
        self._wanted[fd] = events = _EVENTS[interest]
        try:
            self._sockets.modify(fd, events)
        except FileNotFoundError:
            self._sockets.register(fd, events)

    def _set_timer(self, milliseconds: int) -> None:
        if milliseconds < 0:
            self._due = None
            return
        self._due = time.monotonic() + milliseconds / 1000
        if self._timer is None or self._timer_at > self._due:
            self._call_at(self._due)

    # Called by the reactor.

    def _call_at(self, at: float) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
        self._timer_at = at
        self._timer = self._reactor.call_later(max(0.0, at - time.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > time.monotonic():
            self._call_at(self._due)
        else:
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._tell_ended()

    def _on_ready(self, _fd: int, _events: int) -> None:
        for fd, events in self._sockets.poll(0):
            if fd not in self._wanted:
                with suppress(OSError):  # one that is closed has left by itself
                    self._sockets.unregister(fd)
                continue
            ready = 0
            if events & select.EPOLLIN:
                ready |= pycurl.CSELECT_IN
            if events & select.EPOLLOUT:
                ready |= pycurl.CSELECT_OUT
            if events & ~(select.EPOLLIN | select.EPOLLOUT):
                ready |= pycurl.CSELECT_ERR
            self._multi.socket_action(fd, ready)
        self._tell_ended()

    def _tell_ended(self) -> None:
        _, complete, failed = self._multi.info_read()
        if not complete and not failed:
            return
        ended = [(handle, 0, "") for handle in complete]
        ended.extend(failed)
        for handle, _, _ in ended:
            self._multi.remove_handle(handle)
        for handle, code, message in ended:
            self._on_done(handle, code, message)

    def _speaks(self, fd: int) -> bool:
        """Whether an idle connection has something to say: that it is closed, in all likelihood."""
        look = self._looks.get(fd)
        if look is None:
            look = self._looks[fd] = select.poll()
            look.register(fd, select.POLLIN)
        return bool(look.poll(0))
