"""A PostgreSQL connection that gives up on a server which stands still, and renews credentials that are refused."""

from __future__ import annotations

from typing import Any, Protocol, Self

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus

from orders.credentials import Login

# How much later than the server this side gives a statement up, so that the server says why, seconds.
_GRACE = 0.25


class Waiter(Protocol):
    """Who gives others the floor while a statement is under way."""

    @property
    def entered(self) -> bool:
        """Whether the caller is one that can be left for a while."""

    def wait(self, generator: PQGen[RV], fileno: int, patience: float) -> RV:
        """What `generator` returns. Raises `psycopg.OperationalError` after `patience` seconds."""


class Connection(psycopg.Connection[Any]):
    """psycopg's, for use wherever the book's database is connected to.

    Note on standing still: a server that is stopped does not serve its own timeouts, and TCP's do not help:
    the operating system acknowledges what a stopped process never reads, and a Unix socket has none.

    Note on refusals: libpq gives no SQLSTATE for a connection that failed. But it knows whether the server had
    asked for a password, which it does before it refuses one. Whatever else it may have refused such a
    connection for, asking for the credentials anew does no harm.
    """

    patience: float | None = None
    waiter: Waiter | None = None

    @classmethod
    def connect(  # type: ignore[override]
        cls, conninfo: str = "", *, connect_timeout: int, patience: float | None = None, **parameters: Any
    ) -> Self:
        """No wait of it will be longer than `patience` seconds and a little; the server is to be told so as well.

        Credentials that are refused are renewed once, which takes at most `patience`, else `connect_timeout` seconds.
        """
        parameters["connect_timeout"] = connect_timeout
        try:
            connection = super().connect(conninfo, **parameters)
        except psycopg.OperationalError as error:
            login = _renewed(error, parameters, patience or connect_timeout)
            if login is None:
                raise
            renewed = parameters | {"user": login.user, "password": login.password}
            connection = super().connect(conninfo, **renewed)
        if patience is not None:
            connection.patience = patience + _GRACE
        return connection

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Raises an `OperationalError` after `patience` seconds, and is closed then."""
        if self.patience is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            if self.waiter is not None and self.waiter.entered:
                return self.waiter.wait(gen, self.pgconn.socket, self.patience)
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            # Whoever closes or rolls back would wait as long again.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server gave no answer within {self.patience:g} s") from None


def bounded(patience: float, *, options: str = "", **others: Any) -> Connection:
    """A new connection to the book, as Django would make it now: credentials may have changed since the last one.

    It commits each statement by itself; neither side waits longer than `patience` seconds, for a lock either.
    `options`: further ones of the server's; `others`: further ones of psycopg's.
    """
    milliseconds = round(patience * 1000)
    parameters = {
        **connections["default"].get_connection_params(),
        "autocommit": True,
        "cursor_factory": psycopg.Cursor,
        # libpq waits at least two seconds.
        "connect_timeout": max(2, round(patience)),
        "tcp_user_timeout": milliseconds,
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} {options}",
        "patience": patience,
        **others,
    }
    return Connection.connect(**parameters)


def _renewed(error: psycopg.OperationalError, parameters: dict[str, Any], patience: float) -> Login | None:
    if error.pgconn is None or not error.pgconn.used_password:
        return None
    refused = Login(parameters.get("user", ""), parameters.get("password", ""))
    return settings.CREDENTIALS.sql.renewed(refused, patience=patience)
