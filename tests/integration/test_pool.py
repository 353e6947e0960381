"""The web's pool of connections while the order book is away, and after."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from order_entry_project.postgresql.base import DatabaseWrapper
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def line():
    """Between the pool and the run's PostgreSQL."""
    folder = connections["default"].settings_dict["HOST"]
    (socket,) = (path for path in Path(folder).glob(".s.PGSQL.*") if path.is_socket())
    with TcpProxy(str(socket)) as proxy:
        yield proxy


@pytest.fixture
def pooled(line, monkeypatch):
    monkeypatch.setattr(DatabaseWrapper, "_let_in", {})
    settings = copy.deepcopy(connections["default"].settings_dict)
    pool = {"min_size": 0, "max_size": 2, "timeout": 0.3, "max_waiting": 2, "reconnect_timeout": 0.3}
    settings |= {"HOST": "127.0.0.1", "PORT": line.port}
    settings["OPTIONS"] = {**settings["OPTIONS"], "pool": pool}
    made = DatabaseWrapper(settings)
    yield made
    made.close()
    made.close_pool()


def ask(wrapper):
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()[0]
    finally:
        wrapper.close()


def test_whoever_asks_after_an_outage_is_answered_though_many_gave_up_in_it(line, pooled):
    assert ask(pooled) == 1
    line.refuse()
    for _ in range(6):
        with pytest.raises(OperationalError):
            ask(pooled)
    line.accept()
    assert ask(pooled) == 1
