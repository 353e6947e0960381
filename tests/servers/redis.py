"""Redis for a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from order_entry_project.embedded.processes import Child
from tests.ports import free_port
from tests.servers.binaries import installed


@dataclass(frozen=True)
class Redis:
    """The run's Redis. Tests keep apart by keys of their own."""

    port: int
    pid: int


@contextmanager
def server(folder: Path) -> Iterator[dict[str, int]]:
    binary = installed("redis-server", package="redis-server")
    port = free_port()
    argv = [binary, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with Child.running(argv, name="Redis", log=folder / "redis.log", stop=signal.SIGKILL) as child:
        child.await_port(port, patience=10)
        yield {"port": port, "pid": child.pid}
