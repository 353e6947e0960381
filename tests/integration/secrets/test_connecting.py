"""Connections to a PostgreSQL that asks for passwords, with credentials that change, from a real Safeguard server."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from consumers import transports
from order_entry_project.config import Config, Database, Safeguard
from order_entry_project.secrets import kept
from order_entry_project.secrets.fixed import Fixed
from order_entry_project.secrets.sources import credentials
from orders.credentials import Login
from orders.sql import Sql, SqlUnavailable
from tests.waiting import wait_until

FIRST, SECOND = "first-canary-1", "second-canary-2"


@pytest.fixture
def role(book):
    with book.role(FIRST) as made:
        yield made


@pytest.fixture
def use(monkeypatch):
    """`use(source)`: where the database's login comes from."""
    return lambda source: monkeypatch.setattr(
        settings, "CREDENTIALS", replace(settings.CREDENTIALS, sql=source)
    )


@pytest.fixture
def account(role, safeguard, section, use, monkeypatch):
    """The role's account in Safeguard, which is where the login comes from."""
    monkeypatch.setattr(kept, "_PAUSE", 0.05)
    account = safeguard.add(role.name, FIRST)
    source = credentials(
        Config(
            database=Database(credentials_source="safeguard"),
            safeguard=section(sql_api_key=account.api_key),
        )
    ).sql
    use(source)
    yield account
    source.close()


@pytest.fixture
def sql():
    made = Sql(patience=2)
    yield made
    made.close()


def rotate(role, account, password) -> None:
    role.change_password(password)
    account.password = password
    role.disconnect()
    # Longer than the pause between two questions: what was asked just before the change is not asked again at once.
    time.sleep(0.1)


def test_a_worker_logs_in_as_the_account_that_safeguard_names(sql, account, role, safeguard):
    assert sql.run("SELECT current_user::text", {}) == [(role.name,)]
    assert safeguard.asked == [account.api_key]


def test_a_worker_that_is_refused_asks_once_and_goes_on(sql, account, role, safeguard):
    sql.run("SELECT 1", {})
    rotate(role, account, SECOND)
    with pytest.raises(SqlUnavailable, match="57P01"):
        sql.run("SELECT 1", {})
    assert sql.run("SELECT current_user::text", {}) == [(role.name,)]
    assert len(safeguard.asked) == 2


def test_the_embedded_queue_goes_on_as_well(account, role):
    transports._connect().close()
    rotate(role, account, SECOND)
    with transports._connect() as connected:
        assert connected.info.user == role.name


def test_a_refusal_that_safeguard_cannot_help_is_for_later(sql, account, role, safeguard, caplog):
    sql.run("SELECT 1", {})
    role.change_password("known to nobody else")
    role.disconnect()
    for _ in range(10):
        with pytest.raises(SqlUnavailable):
            sql.run("SELECT 1", {})
    asked = len(safeguard.asked)
    assert asked < 10, "not at each try"
    account.password = "known to nobody else"
    wait_until(
        lambda: sql.run("SELECT 1", {}) == [(1,)],
        what="let in again",
        patience=10,
        despite=(SqlUnavailable,),
    )
    assert FIRST not in caplog.text


def test_threads_that_are_refused_together_ask_once(account, role, safeguard):
    transports._connect().close()
    rotate(role, account, SECOND)
    start = threading.Barrier(6)

    def connect(_: int) -> str:
        start.wait()
        with transports._connect() as connected:
            return connected.info.user

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(connect, range(6))) == {role.name}
    assert len(safeguard.asked) == 2


def test_nothing_is_asked_for_where_no_password_was_at_fault(book, sql, safeguard, account, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "/nowhere")
    for _ in range(5):
        with pytest.raises(SqlUnavailable):
            sql.run("SELECT 1", {})
    assert len(safeguard.asked) == 1


def test_a_configured_password_is_used_and_refused_as_it_is(book, role, use, sql, caplog):
    use(Fixed(Login(role.name, "wrong")))
    with pytest.raises(SqlUnavailable, match="password authentication failed") as refused:
        sql.run("SELECT 1", {})
    assert "password authentication failed" in caplog.text, "in sql_errors"
    assert "wrong" not in str(refused.value) + caplog.text
    use(Fixed(Login(role.name, FIRST)))
    assert sql.run("SELECT current_user::text", {}) == [(role.name,)]


def test_a_password_file_that_kubernetes_exchanges_is_used_at_the_next_connection(
    book, role, use, sql, tmp_path
):
    file = tmp_path / "password"
    file.write_text(FIRST + "\n")
    database = Database(credentials_source="file", sql_user=role.name, sql_password_file=file)
    use(credentials(Config(database=database)).sql)
    assert sql.run("SELECT 1", {}) == [(1,)]
    role.change_password(SECOND)
    sql.close()
    with pytest.raises(SqlUnavailable):
        sql.run("SELECT 1", {})
    file.write_text(SECOND + "\n")
    assert sql.run("SELECT current_user::text", {}) == [(role.name,)]


def test_without_any_credentials_each_side_says_so(book, use, sql):
    """Nobody is there who could be asked."""
    vault = Safeguard(host="localhost:1", client_cert="/nowhere.pem", sql_api_key="x", timeout=1)
    database = Database(credentials_source="safeguard", sql_user="x")
    with closing(credentials(Config(database=database, safeguard=vault)).sql) as source:
        use(source)
        with pytest.raises(
            SqlUnavailable, match=r"no credentials: the database's login: Safeguard localhost:1"
        ):
            sql.run("SELECT 1", {})
        with pytest.raises(psycopg.OperationalError, match="no credentials"):
            transports._connect()


@pytest.mark.django_db(transaction=True)
def test_a_page_gives_a_server_that_stands_still_up(monkeypatch):
    """And what follows on that connection fails at once."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "patience", 0.5)
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (server,) = cursor.fetchone()
            os.kill(server, signal.SIGSTOP)
            try:
                began = time.monotonic()
                with pytest.raises(OperationalError, match=r"no answer within 0.75 s"):
                    cursor.execute("SELECT 1")
                with pytest.raises(OperationalError):
                    cursor.execute("SELECT 1")
                assert time.monotonic() - began < 1.5
            finally:
                os.kill(server, signal.SIGCONT)
    finally:
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
