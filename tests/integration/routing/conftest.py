from __future__ import annotations

from contextlib import ExitStack

import pytest

from routing.reactor import Reactor
from tests.people import ALL, person
from tests.scripted_server import ScriptedServer
from tests.simulated import simulated
from tests.simulators import simulator


@pytest.fixture
def reactor():
    loop = Reactor()
    yield loop
    loop.close()


@pytest.fixture
def serve():
    """`serve(script, …)` → a running scripted server."""
    with ExitStack() as servers:

        def start(*scripts):
            server = ScriptedServer(scripts)
            servers.callback(server.close)
            return server

        yield start


@pytest.fixture
def simulate():
    """`simulate("simulate_router", "--latency-ms", "0", …)` → a running simulator, on a thread."""
    with ExitStack() as simulators:
        yield lambda command, *options: simulators.enter_context(simulated(command, *options))


@pytest.fixture
def simulate_apart(tmp_path):
    """The same as a process."""
    with ExitStack() as simulators:
        yield lambda command, *options: simulators.enter_context(simulator(command, tmp_path, *options))


@pytest.fixture
def operator(db):
    """Someone at the console with every permission on orders."""
    return person("anna", *ALL)
