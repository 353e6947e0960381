"""The order books of a run: one that the service writes, one with nothing in it but the tables, a big one."""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.order_path.history import fill
from benchmarks.order_path.stack import Stack

SERVICE, BARE, BIG = "service", "bare", "big"
# The chain of hashes is a duty of the service's: the others write into the same tables without it.
_WITHOUT_HASHES = """
DROP TRIGGER order_events_chained ON order_events;
ALTER TABLE order_events ALTER COLUMN hash DROP NOT NULL
"""
_OF_RUN = "SELECT count(*) FROM orders WHERE order_id >= %s AND order_id < %s AND status = 'ROUTED'"
# What checks a foreign key is run by the server for itself.
_STATEMENTS = """
SELECT sum(calls) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = %s AND s.query NOT LIKE 'SELECT $_ FROM ONLY %%'
"""


def create(stack: Stack) -> None:
    for name in (SERVICE, BARE):
        stack.create_database(name)
    with stack.connect(BARE) as connection:
        connection.execute(_WITHOUT_HASHES)


def create_big(stack: Stack, orders: int) -> None:
    """One that holds so many orders already, with their events and routes."""
    stack.create_database(BIG)
    with stack.connect(BIG) as connection:
        fill(connection, orders)


def empty(stack: Stack, name: str) -> None:
    with stack.connect(name) as connection:
        # The trigger on order_events refuses this to anyone else.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "TRUNCATE orders, order_events, order_routes, rejected_messages, delivery_attempts CASCADE"
        )


def routed(connection: psycopg.Connection[Any], prefix: str) -> int:
    """How many orders whose ids begin with `prefix` and a hyphen are routed."""
    ((count,),) = connection.execute(_OF_RUN, [f"{prefix}-", f"{prefix}."]).fetchall()
    return int(count)


def statements(connection: psycopg.Connection[Any], name: str) -> int:
    """How many statements the server has run in database `name` since it was started, BEGIN and COMMIT among them."""
    ((count,),) = connection.execute(_STATEMENTS, [name]).fetchall()
    return int(count or 0)
