"""The simulated router and registry as the real processes they are."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.checkout import MANAGE


class Neighbour:
    """What a simulated one at `url` can be asked and told."""

    url: str

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def put(self, path: str, document: Any) -> requests.Response:
        return requests.put(self.url + path, json=document, timeout=5)

    def turn(self, **dials: float) -> None:
        self.put("/dials", dials).raise_for_status()

    def executions(self) -> Any:
        return self.get("/executions")


@dataclass
class Simulator(Neighbour):
    url: str
    process: subprocess.Popen[str]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


@contextmanager
def simulator(command: str, folder: Path, *options: str) -> Iterator[Simulator]:
    """`simulate_router` or `simulate_registry` on a free port, listening."""
    port_file = folder / f"{command}-{time.monotonic_ns()}.port"
    process = subprocess.Popen(
        [*MANAGE, command, "--port", "0", "--port-file", str(port_file), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("listening on http://"), first + process.stdout.read()
        yield Simulator(f"http://127.0.0.1:{int(port_file.read_text())}", process)
    finally:
        process.kill()
        process.communicate()
