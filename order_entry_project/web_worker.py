"""gunicorn's threaded worker, but a client that sends slowly does not keep a thread for as long as it likes.

gunicorn hands a connection to a thread when its first byte is there, and then waits for the others without end: as
many dripping clients as there are threads would stop the service. Here a whole request, headers and body, must
arrive within `api.read_timeout` of its beginning, or its connection counts as lost. A proxy that reads requests
before it passes them on makes this moot, but is not always there.

And the processes share connections evenly: of those that come together, gunicorn lets whichever process is awake
take all, and a connection that is kept stays where it is. The other process, and its core, then have nothing to do.
"""

from __future__ import annotations

import errno
import time
from typing import Any

from django.conf import settings
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

# Seconds: for each connection that a process has, and at most.
_LEFT_TO_OTHERS = 20e-6
_LONGEST_LEFT = 500e-6


class _Unreader(SocketUnreader):  # type: ignore[misc] # gunicorn has no types
    until = 0.0  # monotonic
    lost = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        left = self.until - time.monotonic()
        try:
            self.sock.settimeout(max(left, 0.001))
            data: bytes = super().chunk(size_hint)
        except TimeoutError:
            self.lost = True
            # What gunicorn takes for a client that went away: it closes the connection and makes no fuss.
            raise ConnectionResetError(errno.ECONNRESET, "the request did not arrive in time") from None
        finally:
            # A client that does not take its answer is bounded, too.
            self.sock.settimeout(settings.CONFIG.api.read_timeout)
        return data


class _Connection(TConn):  # type: ignore[misc] # gunicorn has no types
    def init(self) -> None:
        """Called before each request of the connection."""
        super().init()
        if not isinstance(self.parser.unreader, _Unreader):
            # Nothing has been read yet.
            self.parser.unreader = _Unreader(self.sock)
        self.parser.unreader.until = time.monotonic() + settings.CONFIG.api.read_timeout

    def close(self, graceful: bool = False) -> None:
        """Once. Graceful, it waits up to two seconds for the client to hang up first."""
        if self.sock.fileno() >= 0:
            super().close(graceful=graceful and not self.parser.unreader.lost)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    def accept(self, listener: Any) -> None:
        """The more connections this process has, the longer it leaves another one to those that have fewer."""
        if self.cfg.workers > 1:
            time.sleep(min(_LEFT_TO_OTHERS * self.nr_conns, _LONGEST_LEFT))
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        # gunicorn makes the object itself, between accept() and here, and asks nobody of which class.
        conn.__class__ = _Connection
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """A request, in a thread. The connection is closed here, not in the loop that all others wait for."""
        keep = super().handle(conn)
        if keep is False and conn.initialized:
            conn.close(graceful=True)
        return keep
