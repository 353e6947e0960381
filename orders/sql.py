"""The hot path's SQL: one raw psycopg connection whose statements are bound on the server and prepared.

Note on statements: each is one autocommitted statement (0.41 ms where BEGIN/statement/COMMIT takes 0.72), given
arrays and unnesting them, so that its cost is per batch. Arrays come sorted by order id, so that two
processes never lock the same rows in opposite orders. Keep each under 4,096 characters: psycopg parses longer
ones again at every call.

Note on plans: each statement finds its rows by key, and is planned once. Left to itself the planner may read whole
tables, because they were empty when it looked: with each batch more of them, until they are analysed again. Or it plans
anew for each batch, because of the first few: a third of what a small batch costs.

Note on a commit in doubt: when the connection ends during a statement, nobody knows whether it was committed.
The caller sends the same statement again with the same ids (claims, attempts); rows that bear them are its own.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import psycopg

from orders.array_parameters import ArrayDumper
from orders.connecting import Waiter, bounded
from orders.metrics import sql_latency_ms, sql_write_errors

# What the same statement may survive when it is sent again later: connection, credentials, rollback, resources,
# operator, read-only, lock timeout. Everything else is the fault of the rows or of the code.
_TRANSIENT_CLASSES = ("08", "28", "40", "53", "57")
_TRANSIENT_STATES = ("25006", "55P03")
_ROLLED_BACK = ("40001", "40P01")
_IMMEDIATE_TRIES = 5
_PLANS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
_NAME = re.compile(r"/\* (\w+) \*/")
UNNAMED = "other"
# So many of a batch's orders are named in a line about it.
_NAMED = 10

sql_errors = logging.getLogger("sql_errors")


class SqlUnavailable(Exception):
    """SQL did not do it, or may have: see the note on a commit in doubt. Sending it again is right."""


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same statement may succeed later. The one place that decides this."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES


class Sql:
    """A connection that is made on first use and again after a loss; `patience` (seconds) bounds every wait.

    `waiter`: does the waiting for statements, where that is not to stop the thread.
    """

    waiter: Waiter | None = None

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._connection: psycopg.Connection[Any] | None = None

    def run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The statement's rows. Raises `SqlUnavailable`; any other `psycopg.Error` is the statement's fault."""
        began = time.perf_counter()
        try:
            return self._run(statement, parameters)
        finally:
            sql_latency_ms.labels(name_of(statement)).observe(1000 * (time.perf_counter() - began))

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        for _ in range(_IMMEDIATE_TRIES):
            try:
                cursor = psycopg.Cursor(self.connected())
                cursor.execute(statement, parameters, prepare=True)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                report(name_of(statement), parameters, error)
                if not is_transient(error):
                    raise
                if error.sqlstate not in _ROLLED_BACK:
                    self.close()
                    raise SqlUnavailable(_describe(error)) from error
                rolled_back = error
        raise SqlUnavailable(_describe(rolled_back)) from rolled_back

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def connected(self) -> psycopg.Connection[Any]:
        """The connection itself, made where there is none; what fails on it is counted and told by nobody."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> psycopg.Connection[Any]:
        connection = bounded(self._patience, options=_PLANS, prepare_threshold=0)
        connection.adapters.register_dumper(list, ArrayDumper)
        connection.waiter = self.waiter
        return connection


@lru_cache
def name_of(statement: str) -> str:
    """A statement bears its name in front, for PostgreSQL's own views, metrics and logs."""
    match = _NAME.match(statement)
    return match[1] if match else UNNAMED


def report(name: str, parameters: Mapping[str, Any], error: psycopg.Error) -> None:
    """Whose orders it was about, but no other value: the error's detail may hold any."""
    sqlstate = error.sqlstate or "none"
    sql_write_errors.labels(name, sqlstate).inc()
    order_ids = _listed(parameters, "order_id")
    sql_errors.error(
        "%s failed: %s",
        name,
        _words(error),
        extra={
            "statement": name,
            "sqlstate": sqlstate,
            "transient": is_transient(error),
            "orders": len(order_ids),
            "orderId": order_ids[:_NAMED],
            "messageId": _listed(parameters, "message_id")[:_NAMED],
        },
    )


def _words(error: psycopg.Error) -> str:
    """The server's or, where there was no connection, the library's, which knows no values."""
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return _first_line(error)
    return error.diag.message_primary or type(error).__name__


def _listed(parameters: Mapping[str, Any], name: str) -> list[str]:
    """The parameter `name` of a statement for one row or for many; empty where it has none."""
    value = parameters.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _describe(error: psycopg.Error) -> str:
    return f"{error.sqlstate or type(error).__name__}: {_first_line(error)}"


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
