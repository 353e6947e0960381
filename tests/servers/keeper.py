"""The keeper of a run's servers: `python -m tests.servers.keeper FOLDER`, its input a pipe from the run.

A server is started when first asked for through the socket in FOLDER, on the main thread (children end with
the thread that started them). The closing of the pipe, which even SIGKILL of the run brings about, ends
everything and removes FOLDER.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.servers import postgres, rabbitmq, redis, strict_peer
from tests.servers.unavailable import UnavailableError

Server = Callable[[Path], Any]
SERVERS: dict[str, Server] = {
    "postgresql": postgres.template,
    "rabbitmq": partial(rabbitmq.broker, plugins=rabbitmq.AMQP10),
    "redis": redis.server,
    "strict peer": strict_peer.strict_peer,
}


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _answer(name: str, folder: Path, started: dict[str, Any], stack: ExitStack) -> dict[str, Any]:
    """What a test needs to know of server `name`, or why it cannot be had; the same at each asking."""
    if name not in started:
        try:
            started[name] = {"server": stack.enter_context(SERVERS[name](folder))}
        except UnavailableError as error:
            started[name] = {"unavailable": str(error)}
        except Exception as error:  # noqa: BLE001 - told to the test that asked, which fails with it
            started[name] = {"failed": f"{type(error).__name__}: {error}"}
    return started[name]


def _keep(folder: Path, listener: socket.socket) -> None:
    started: dict[str, Any] = {}
    with _folder(folder), ExitStack() as stack:
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as lines:
                name = lines.readline().strip()
                lines.write(json.dumps(_answer(name, folder, started, stack)))


def _end_with_the_run() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, _end)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "keeper"))
        listener.listen(64)
        threading.Thread(target=_end_with_the_run, daemon=True).start()
        _keep(folder, listener)


if __name__ == "__main__":
    main()
