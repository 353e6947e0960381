"""The Aerospike client of a process: opened beside the work, and opened anew when its certificates change.

Note on certificates: the client reads them when it is made, and never again (19.3.0), though it connects all its life.
So their files are looked at every few seconds. When they have changed, another client is made beside the one in use
and takes its place once a node has let it in; the old one ends when no call can be under way in it any more. Where
none lets it in, the old one stays, and another is tried.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from weakref import finalize

import aerospike
from aerospike import exception

from orders.stores.aerospike_log import listen, recent_complaints

logger = logging.getLogger(__name__)

_LOOK = 5.0  # seconds between looks at the files
Signatures = list[tuple[int, ...]]


class OpenClient:
    """`files`: those `config` names, of certificates. `longest`: seconds that a call may take. For any thread.

    Connects when first asked for, which must be after a fork: the client's threads stay behind in the parent, and
    without them it crashes.
    """

    def __init__(self, config: dict[str, Any], *, files: Sequence[Path], longest: float) -> None:
        self._config = config
        self._files = files
        self._longest = longest
        self._lock = threading.Lock()  # guards all that follows
        self._opening: Future[aerospike.Client] | None = None
        self._end: Callable[[], object] = lambda: None  # of the client that `_opening` gives
        self._read: Signatures = []  # of the files it was made with
        self._refused: Signatures = []  # of those that no node accepted
        self._looked_at = 0.0
        self._renewing = False

    def get(self) -> aerospike.Client:
        """Raises `TimeoutError` where it takes longer than a call may; `AerospikeError` where it cannot be made."""
        with self._lock:
            if self._opening is None:
                self._opening = Future()
                self._looked_at = time.monotonic()
                threading.Thread(target=self._open, args=(self._opening,), daemon=True).start()
            elif self._is_to_be_renewed():
                self._renewing = True
                threading.Thread(target=self._renew, daemon=True).start()
            opening = self._opening
        try:
            return opening.result(self._longest)
        except exception.AerospikeError:
            with self._lock:
                # The next call tries again.
                if self._opening is opening:
                    self._opening = None
            raise

    def close(self) -> None:
        with self._lock:
            self._opening = None
            end = self._end
        end()

    def _is_to_be_renewed(self) -> bool:
        now = time.monotonic()
        if not self._files or self._renewing or now - self._looked_at < _LOOK:
            return False
        self._looked_at = now
        return _signatures(self._files) != self._read  # compares no guess: times of files

    def _open(self, opening: Future[aerospike.Client]) -> None:
        listen()
        try:
            read, client = _signatures(self._files), aerospike.client(self._config)
        except BaseException as error:  # noqa: BLE001 - raised to whoever waits for the client
            opening.set_exception(error)
            return
        with self._lock:
            self._read = read
            self._end = self._ending(client)
        opening.set_result(client)

    def _renew(self) -> None:
        read = _signatures(self._files)
        try:
            client = aerospike.client(self._config)
            if client.is_connected():
                self._replace(client, read)
            else:
                client.close()
                self._complain(read, "no node lets us in")
        except exception.AerospikeError as error:
            self._complain(read, error.msg)
        finally:
            self._renewing = False

    def _replace(self, client: aerospike.Client, read: Signatures) -> None:
        opened: Future[aerospike.Client] = Future()
        opened.set_result(client)
        with self._lock:
            end, self._end = self._end, self._ending(client)
            self._opening, self._read = opened, read
        logger.info("Aerospike: the certificates have changed, the new ones are in use")
        time.sleep(2 * self._longest)
        end()

    def _complain(self, read: Signatures, reason: str | None) -> None:
        if read != self._refused:
            self._refused = read
            words = f"{reason}{recent_complaints()}"
            logger.warning("Aerospike: the certificates have changed, the old ones stay in use: %s", words)

    def _ending(self, client: aerospike.Client) -> Callable[[], object]:
        """Closes it once: when called, else before the interpreter ends, as its threads must."""
        return finalize(self, _close, client, os.getpid())


def _close(client: aerospike.Client, process: int) -> None:
    if os.getpid() == process:
        client.close()


def _signatures(files: Sequence[Path]) -> Signatures:
    return [_signature(file) for file in files]


def _signature(file: Path) -> tuple[int, ...]:
    """Another one when the file is; a file that is away has one, too."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
