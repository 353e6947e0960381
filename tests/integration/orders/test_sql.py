"""The worker's connection to the book."""

import logging
import os
import signal
import time

import psycopg
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


ORDERS = """/* place */
INSERT INTO orders (order_id) SELECT * FROM unnest(%(order_id)s::text[]) WHERE %(secret)s <> ''
"""


@pytest.fixture
def complaints(caplog):
    """What has gone into sql_errors.log."""
    caplog.set_level(logging.INFO, logger="sql_errors")
    return lambda: [record for record in caplog.records if record.name == "sql_errors"]


def test_a_statement_that_fails_is_logged_with_its_name_its_state_and_some_of_its_orders(sql, complaints):
    ids = [f"ORD-{number}" for number in range(200)]
    with pytest.raises(psycopg.errors.NotNullViolation):
        sql.run(
            ORDERS, {"order_id": ids, "message_id": [f"m-{one}" for one in ids], "secret": "canary-value"}
        )
    (said,) = complaints()
    assert (said.statement, said.sqlstate, said.transient) == ("place", "23502", False)
    assert (said.orders, said.orderId, said.messageId) == (200, ids[:10], [f"m-{one}" for one in ids[:10]])
    assert "canary-value" not in str(vars(said))
    assert "ORD-0" not in said.getMessage()


def test_a_statement_about_one_message_or_none_is_logged_as_well(sql, complaints):
    for parameters in ({"message_id": "m-1"}, {}):
        with pytest.raises(psycopg.errors.DivisionByZero):
            sql.run("SELECT 1/0", parameters)
    one, none = complaints()
    assert (one.messageId, one.orderId, one.orders) == (["m-1"], [], 0)
    assert (none.statement, none.messageId, none.orderId) == ("other", [], [])
