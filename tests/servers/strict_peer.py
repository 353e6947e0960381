"""The strict AMQP 1.0 broker as the tests have it: its process, and what is done to it from outside."""

from __future__ import annotations

import base64
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from order_entry_project.embedded.processes import Child
from tests.checkout import ROOT
from tests.ports import free_port

if TYPE_CHECKING:
    from proton import Message


@dataclass(frozen=True)
class StrictPeer:
    """Tests keep apart by queue names of their own. See `tests.servers.strict_amqp10.broker` for what can be asked."""

    port: int
    control: str
    pid: int

    @property
    def url(self) -> str:
        return f"amqp10://guest:guest@127.0.0.1:{self.port}"

    def ask(self, do: str, **arguments: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.control)
            connection.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with connection.makefile() as lines:
                said = json.loads(lines.readline())
        if "error" in said:
            raise RuntimeError(f"{do}: {said['error']}")
        return said["answer"]

    def put(self, queue: str, messages: Sequence[Message]) -> None:
        """Past all rules, as another program might that is no AMQP client."""
        encoded = [base64.b64encode(message.encode()).decode() for message in messages]
        self.ask("put", queue=queue, messages=encoded)

    def take(self, queue: str) -> list[Message]:
        """All that is ready."""
        from proton import Message

        taken = []
        for raw in self.ask("take", queue=queue):
            message = Message()
            message.decode(base64.b64decode(raw))
            taken.append(message)
        return taken

    def ready(self, queue: str) -> int:
        return int(self.ask("depth", queue=queue)["ready"])


@contextmanager
def strict_peer(folder: Path, **options: Any) -> Iterator[dict[str, object]]:
    """A running one, as the arguments of `StrictPeer`. `options`: of `broker.Options`."""
    port = free_port()
    # Of one folder there may be several, one after the other.
    control = str(folder / f"strict-{port}")
    argv = [sys.executable, "-m", "tests.servers.strict_amqp10"]
    given = json.dumps({"port": port, "control": control, **options})
    with Child.running(
        [*argv, given], name="strict peer", log=folder / "strict-peer.log", folder=ROOT, stop=signal.SIGKILL
    ) as child:
        _await(Path(control), child)
        yield {"port": port, "control": control, "pid": child.pid}


def _await(control: Path, child: Child) -> None:
    until = time.monotonic() + 20
    while not control.exists():
        child.check()
        if time.monotonic() > until:
            raise RuntimeError("the strict peer does not start within 20 s")
        time.sleep(0.02)
