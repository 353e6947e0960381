"""The web's pool of connections while the order book is away, and after."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import OperationalError, connections
from psycopg_pool import PoolTimeout, TooManyRequests

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
def asked_for(line):
    """What the pool is made of."""
    asked_for = copy.deepcopy(connections["default"].settings_dict)
    pool = {"min_size": 0, "max_size": 2, "timeout": 0.3, "max_waiting": 2, "reconnect_timeout": 0.3}
    asked_for |= {"HOST": "127.0.0.1", "PORT": line.port}
    asked_for["OPTIONS"] = {**asked_for["OPTIONS"], "pool": pool}
    return asked_for


@pytest.fixture
def pooled(asked_for, monkeypatch):
    monkeypatch.setattr(DatabaseWrapper, "_let_in", {})
    made = DatabaseWrapper(asked_for)
    yield made
    made.close()
    made.close_pool()


def at_once(number, asked_for):
    """What becomes of so many who ask at the same time, each in a thread of its own: 1, or why not."""
    barrier = Barrier(number)

    def one():
        wrapper = DatabaseWrapper(asked_for)
        barrier.wait()
        try:
            return ask(wrapper)
        except OperationalError as error:
            return type(error.__cause__)

    with ThreadPoolExecutor(number) as threads:
        return [asked.result() for asked in [threads.submit(one) for _ in range(number)]]


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


def test_as_many_as_come_at_once_after_a_start_are_answered_however_few_may_wait(pooled, asked_for):
    asked_for["OPTIONS"]["pool"]["timeout"] = 10
    assert at_once(12, asked_for) == [1] * 12


def test_while_sql_is_away_few_wait_for_it_and_the_others_are_told_so_at_once(line, pooled, asked_for):
    asked_for["OPTIONS"]["pool"]["timeout"] = 0.8
    line.refuse()
    with pytest.raises(OperationalError):
        ask(pooled)
    waited = at_once(8, asked_for)
    assert waited.count(PoolTimeout) == 2
    assert waited.count(TooManyRequests) == 6


def test_once_sql_is_back_any_number_may_wait_again(line, pooled, asked_for):
    line.refuse()
    with pytest.raises(OperationalError):
        ask(pooled)
    line.accept()
    assert ask(pooled) == 1
    pooled.pool.timeout = 10
    assert at_once(12, asked_for) == [1] * 12
