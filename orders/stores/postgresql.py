"""The embedded store: a table of the order book's own database. Same promises as the others, no extra server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from orders.sql import SqlUnavailable
from orders.stores.port import Read, Record, StoreUnavailable, newest

Run = Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]

_WRITE = """/* store_write */
INSERT INTO store_records AS mine (key, bins, version, expires_at)
SELECT r.key, r.bins::jsonb, r.version, statement_timestamp() + r.ttl * interval '1 second'
FROM unnest(%(key)s::text[], %(bins)s::text[], %(version)s::bigint[], %(ttl)s::float8[])
     AS r (key, bins, version, ttl)
ORDER BY r.key COLLATE "C"
ON CONFLICT (key) DO UPDATE
SET bins = excluded.bins, version = excluded.version, expires_at = excluded.expires_at
WHERE mine.version <= excluded.version OR mine.expires_at <= statement_timestamp()
"""
_READ = """/* store_read */
SELECT key, bins::text FROM store_records
WHERE key = ANY(%(key)s::text[]) AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""
_REMOVE = "/* store_remove */ DELETE FROM store_records WHERE key = ANY(%(key)s::text[])"
_REMOVE_EXPIRED = """/* store_expire */
DELETE FROM store_records WHERE key IN (
    SELECT key FROM store_records WHERE expires_at <= statement_timestamp()
    ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


class PostgresStore:
    """`run` executes a statement with named parameters: `Sql.run` in a worker, `run_in_django` elsewhere."""

    name = "postgresql"

    def __init__(self, run: Run) -> None:
        self._run = run

    def write(self, records: Sequence[Record]) -> None:
        if records:
            self._do(_WRITE, _columns(newest(records)))

    def read(self, keys: Sequence[str]) -> dict[str, Read]:
        rows = self._do(_READ, {"key": list(keys)}) if keys else []
        return {key: {name: str(value) for name, value in json.loads(bins).items()} for key, bins in rows}

    def remove(self, keys: Sequence[str]) -> None:
        self._do(_REMOVE, {"key": list(keys)})

    def ping(self) -> None:
        self._do("/* store_ping */ SELECT 1", {})

    def check(self) -> list[str]:
        """The migrations set it up; only that it answers."""
        self.ping()
        return []

    def remove_expired(self, *, limit: int) -> None:
        """Delete at most `limit` records whose time is over; reads hide them already."""
        self._do(_REMOVE_EXPIRED, {"limit": limit})

    def close(self) -> None:
        """Nothing: the connection is the caller's."""

    def _do(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return self._run(statement, parameters)
        except (SqlUnavailable, psycopg.Error, DatabaseError, InterfaceError) as error:
            raise StoreUnavailable(f"PostgreSQL store: {error}") from error


def run_in_django(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run on this thread's Django connection."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _columns(records: Sequence[Record]) -> dict[str, Any]:
    return {
        "key": [record.key for record in records],
        "bins": [json.dumps(record.stored, ensure_ascii=False) for record in records],
        "version": [record.version for record in records],
        "ttl": [record.ttl for record in records],
    }
