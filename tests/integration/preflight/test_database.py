"""What preflight says of PostgreSQL, asked of a real one."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from django.db import connections
from psycopg import sql

from order_entry_project.preflight import database as checked
from order_entry_project.preflight import rights
from tests.ports import free_port


@pytest.fixture
def as_role(book):
    """A role of the test's own, with the rights given to it: whoever connects to its database becomes that."""
    name = sql.Identifier(f"runs_{uuid4().hex[:8]}")
    with book.connect() as owner:
        owner.execute(sql.SQL("CREATE ROLE {}").format(name))
        become = sql.SQL("ALTER DATABASE {} SET role = {}")
        owner.execute(become.format(sql.Identifier(book.name), name))

        def grant(privilege, table):
            statement = sql.SQL("GRANT {} ON {} TO {}")
            owner.execute(statement.format(sql.SQL(privilege), sql.Identifier(table), name))

        yield grant
        owner.execute(sql.SQL("DROP OWNED BY {}").format(name))
        owner.execute(sql.SQL("ALTER DATABASE {} RESET role").format(sql.Identifier(book.name)))
        owner.execute(sql.SQL("DROP ROLE {}").format(name))


def test_a_migrated_database_has_nothing_against_it(book, check):
    found = check(checked.findings)
    assert found.fine, found
    said = str(found)
    for words in ("PostgreSQL 18", "takes writes", "its clock is", "may open", "all migrations are applied"):
        assert words in said


@pytest.mark.parametrize(
    ("setting", "value", "key", "says"),
    [
        ("NAME", "nosuch", "database.sql_database", 'database "nosuch" does not exist'),
        ("HOST", "/nowhere", "database.sql_host", "No such file or directory"),
        ("HOST", "nosuch.invalid", "database.sql_host", "nosuch.invalid"),
    ],
)
def test_what_keeps_us_out_is_named_with_its_key(book, check, monkeypatch, setting, value, key, says):
    monkeypatch.setitem(connections["default"].settings_dict, setting, value)
    failure = check(checked.findings).failure
    assert (failure.key, says in failure.found) == (key, True), failure


def test_a_server_that_does_not_run_is_told_from_one_that_refuses(book, check, monkeypatch):
    here = connections["default"].settings_dict
    monkeypatch.setitem(here, "HOST", "127.0.0.1")
    monkeypatch.setitem(here, "PORT", free_port())
    failure = check(checked.findings).failure
    assert (failure.key, "Connection refused" in failure.found) == ("database.sql_host", True)


def test_missing_migrations_are_named(book, check):
    with book.connect() as connection:
        # The last one: nothing that is applied depends on it.
        (last,) = connection.execute(
            "DELETE FROM django_migrations WHERE (app, name) IN"
            " (SELECT app, max(name) FROM django_migrations WHERE app = 'orders' GROUP BY app) RETURNING name"
        ).fetchone()
    failure = check(checked.findings).failure
    assert f"orders.{last}" in failure.found
    assert "manage.py migrate" in failure.advice


def test_an_empty_database_lacks_all_migrations(book, check):
    with book.connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    failure = check(checked.findings).failure
    assert "migrations are missing: " in failure.found
    assert "more" in failure.found


def test_migrations_of_a_later_version_are_a_warning(book, check):
    with book.connect() as connection:
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('orders', '9999_x', now())"
        )
    assert "orders.9999_x" in check(checked.findings).warning.found


def test_a_database_that_takes_no_writes_is_not_the_one(book, check):
    with book.connect() as connection:
        statement = "ALTER DATABASE {} SET default_transaction_read_only = on"
        connection.execute(sql.SQL(statement).format(sql.Identifier(book.name)))
    assert "takes no writes" in check(checked.findings).failure.found


def test_more_connections_than_the_database_lets_in_are_a_warning(book, check, configure):
    configure("service", replicas=3, processes=4)
    with book.connect() as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 100").format(sql.Identifier(book.name))
        )
    warning = check(checked.findings).warning
    assert warning.key == "database.pool_size"
    assert (
        "3 instances may open 168 connections (40 of web processes and 16 of consumers each); 100"
        in warning.found
    )


def test_a_role_with_the_rights_it_needs_has_nothing_against_it(book, as_role, check):
    for table, privileges in rights.needed().items():
        for privilege in privileges:
            as_role(privilege, table)
    found = check(checked.findings)
    assert found.fine, found


def test_rights_that_the_role_lacks_are_named_with_the_statement_that_gives_them(book, as_role, check):
    for table, privileges in rights.needed().items():
        for privilege in privileges:
            if (table, privilege) not in {("order_events", "INSERT"), ("queue_messages", "DELETE")}:
                as_role(privilege, table)
    found = check(checked.findings)
    said = {
        failure.found.partition(" lacks ")[2]: failure.advice for failure in found.all if failure.expected
    }
    assert list(said) == ["INSERT on order_events", "DELETE on queue_messages"]
    assert "GRANT INSERT ON order_events TO " in said["INSERT on order_events"]


def test_the_running_service_needs_no_right_to_change_the_audit():
    for table in ("order_events", "audit_entries"):
        assert rights.needed()[table] == ("SELECT", "INSERT")


@pytest.mark.parametrize("ahead", [-30.0, 0.0, 2.5])
def test_the_clocks_offset_is_measured_to_within_half_a_round_trip(book, ahead):
    with book.connect() as connection:
        offset, uncertainty = checked.clock_offset(connection, clock=lambda: time.time() - ahead)
    assert 0 < uncertainty < 0.5
    assert abs(offset - ahead) < 0.25


def test_clocks_that_differ_are_a_warning(book, check, monkeypatch):
    measure = checked.clock_offset
    monkeypatch.setattr(
        checked, "clock_offset", lambda connection: measure(connection, clock=lambda: time.time() + 3600)
    )
    warning = check(checked.findings).warning
    assert "behind ours" in warning.found
    assert "NTP" in warning.advice
