"""What fails on Django's connections is in sql_errors.log, by name and state, without a value."""

from __future__ import annotations

import logging

import pytest
from django.db import DataError, OperationalError, connection, connections

from order_entry_project.postgresql.failures import name_of


@pytest.fixture
def told(monkeypatch):
    """The records of sql_errors."""
    records = []
    monkeypatch.setattr(logging.getLogger("sql_errors"), "handle", records.append)
    return records


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ('SELECT "orders"."order_id" FROM "orders" WHERE "a" = %s', "select orders"),
        ('INSERT INTO "order_events" ("order_id") VALUES (%s)', "insert order_events"),
        ('UPDATE "orders" SET "symbol" = %s', "update orders"),
        ('DELETE FROM "django_session" WHERE 1 = 1', "delete django_session"),
        ('SELECT 1 AS "a"\nFROM "halts" LIMIT 1', "select halts"),
        ("/* waiting */\nSELECT count(*) FROM orders", "waiting"),
        ("SELECT 1", "other"),
        ("", "other"),
    ],
)
def test_a_statement_is_named_as_its_author_did_or_by_what_it_does(statement, name):
    assert name_of(statement) == name


@pytest.mark.django_db
def test_a_statement_that_fails_is_told_with_its_state(told):
    with pytest.raises(DataError), connection.cursor() as cursor:
        cursor.execute("/* divide */ SELECT 1 / %(zero)s", {"zero": 0, "order_id": ["ORD-1"]})
    (record,) = told
    assert (record.statement, record.sqlstate, record.orderId) == ("divide", "22012", ["ORD-1"])
    assert record.getMessage() == "divide failed: division by zero"


@pytest.mark.django_db
def test_a_connection_that_cannot_be_made_is_told(told, tmp_path):
    other = connections["default"].copy("elsewhere")
    other.settings_dict["HOST"] = str(tmp_path)
    with pytest.raises(OperationalError):
        other.ensure_connection()
    (record,) = told
    assert (record.statement, record.transient) == ("connect", True)
