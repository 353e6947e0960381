"""The worker's connection to the book."""

import os
import signal
import time

import pytest
from django.db import connections

from orders.sql import Sql, SqlUnavailable


@pytest.fixture
def sql(database, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", database.host)
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", database.name)
    sql = Sql(patience=0.5)
    yield sql
    sql.close()


def test_a_server_that_stands_still_is_given_up_within_the_patience(sql):
    ((server,),) = sql.run("SELECT pg_backend_pid()", {})
    os.kill(server, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(SqlUnavailable):
            sql.run("SELECT 1", {})
        assert time.monotonic() - began < 1.5
    finally:
        os.kill(server, signal.SIGCONT)
    assert sql.run("SELECT 1", {}) == [(1,)]


def test_a_statement_that_takes_too_long_is_given_up_within_the_patience(sql):
    began = time.monotonic()
    with pytest.raises(SqlUnavailable):
        sql.run("SELECT pg_sleep(60)", {})
    assert time.monotonic() - began < 1.5
    assert sql.run("SELECT 1", {}) == [(1,)]
