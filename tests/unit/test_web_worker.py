"""How the web's processes share connections."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from order_entry_project import web_worker
from order_entry_project.web_worker import Worker


@pytest.fixture
def waits(monkeypatch):
    """Seconds that were waited."""
    waited: list[float] = []
    monkeypatch.setattr(web_worker.time, "sleep", waited.append)
    return waited


def accept(*, connections: int, processes: int = 2) -> None:
    """Nobody is there to be accepted: another process was quicker."""
    worker = Worker.__new__(Worker)
    worker.cfg, worker.nr_conns = SimpleNamespace(workers=processes), connections
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        worker.accept(listener)
    assert worker.nr_conns == connections


def test_a_process_with_more_connections_leaves_the_next_one_to_the_others_for_longer(waits):
    for connections in (0, 1, 15):
        accept(connections=connections)
    assert waits == pytest.approx([0, 20e-6, 300e-6])


def test_however_many_it_has_it_is_never_long(waits):
    accept(connections=1000)
    assert waits == [500e-6]


def test_a_process_alone_leaves_nothing_to_others(waits):
    accept(connections=15, processes=1)
    assert waits == []
