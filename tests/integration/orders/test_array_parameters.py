"""Columns of a batch as parameters of the worker's statements."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from orders.sql import Sql

HOSTILE = [
    "",
    "NULL",
    "null",
    "a,b",
    '"',
    '\\"',
    "\\",
    "{}",
    "}{",
    " ",
    "a'b",
    "\n",
    "\x01\x7f",
    "ü€😀",
    "{1,2}",
]


@pytest.fixture
def sql(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        sql = Sql(patience=5)
        yield sql
        sql.close()


@pytest.mark.parametrize(
    ("element", "values"),
    [
        ("text", HOSTILE),
        ("text", [None, *HOSTILE, None]),
        ("text", [None, None]),
        ("text", []),
        ("bytea", [b"", b"\\x00", bytes(range(256)), None]),
        ("numeric", [Decimal("1E-8"), Decimal("145.50000000"), Decimal("999999999999.99999999"), None]),
        ("int", [0, -1, 2**31 - 1, None]),
        ("float8", [0.1, 1e-300, -2.5, None]),
        ("bool", [True, False, None]),
        ("uuid", [uuid4(), None, uuid4()]),
        ("timestamptz", [datetime(2026, 2, 14, 10, 30, 45, 123456, tzinfo=UTC), None]),
    ],
)
def test_whatever_a_column_holds_arrives_as_it_is_and_in_its_place(sql, element, values):
    statement = f"SELECT * FROM unnest(%(values)s::{element}[])"  # noqa: S608 - our own types
    rows = sql.run(statement, {"values": values})
    assert [row[0] for row in rows] == values


@pytest.mark.parametrize("values", [["a\0b"], ["a", "b\0", "c"], ["\0"]])
def test_a_text_that_sql_cannot_hold_is_refused_and_shifts_no_neighbour(sql, values):
    with pytest.raises(psycopg.DataError, match="NUL"):
        sql.run("SELECT * FROM unnest(%(values)s::text[])", {"values": values})


@pytest.mark.parametrize("values", [["a", 1], [{}], [["a"]], [object()]])
def test_what_is_no_column_of_plain_values_is_refused(sql, values):
    with pytest.raises(psycopg.DataError, match="plain type"):
        sql.run("SELECT %(values)s::text[]", {"values": values})
