"""A simulated router and a registry that names it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from order_entry_project.config import ServiceRegistry
from order_entry_project.embedded.processes import Child, EmbeddedError

_PATIENCE = 60.0
_TICK = 0.05


@dataclass(frozen=True)
class Simulators:
    """`router`: its URL; `registry`: host:port. The registry knows the router by the default name."""

    router: str
    registry: str


@contextmanager
def simulators(ports: Path, start: Callable[..., AbstractContextManager[Child]]) -> Iterator[Simulators]:
    """Both, for the length of the block. `start(name, *argv)` runs python; `ports`: a folder for their ports."""
    with ExitStack() as running:

        def simulate(name: str, *arguments: str) -> int:
            file = ports / name
            argv = ("manage.py", name, "--port", "0", "--port-file", str(file), *arguments)
            return port_told(file, running.enter_context(start(name, *argv)))

        router = f"http://127.0.0.1:{simulate('simulate_router')}"
        service = f"{ServiceRegistry().router_service}={router}"
        port = simulate("simulate_registry", "--service", service)
        yield Simulators(router, f"127.0.0.1:{port}")


def port_told(file: Path, child: Child) -> int:
    """The port in `file`, once `child` has written it."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        child.check()
        with suppress(FileNotFoundError):
            if text := file.read_text().strip():
                return int(text)
        time.sleep(_TICK)
    raise EmbeddedError(f"{child.name} does not listen after {_PATIENCE:.0f} s; see {child.log}")
