"""Events that were written before there were hashes get theirs, while others go on writing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import psycopg
import pytest

from tests.checkout import ROOT

_ORDER = """
INSERT INTO orders (order_id, symbol, side, quantity, price, created_at, message_id, digest, status)
SELECT %(prefix)s || n, 'AAPL', 'BUY', 100, 145.5, now(), 'm', sha256(convert_to(
           '["AAPL","BUY",100.00000000,145.50000000,null,null]', 'UTF8')), 'PLACED'
FROM generate_series(1, %(count)s) n
"""
_PLACED = """
INSERT INTO order_events (order_id, sequence, event, actor)
SELECT order_id, 1, 'PLACED', 'old' FROM orders WHERE order_id LIKE %(prefix)s || '%%'
"""
_CANCEL = """
WITH canceled AS (
    UPDATE orders SET status = 'CANCELED', version = 2 WHERE order_id = %(id)s RETURNING order_id
)
INSERT INTO order_events (order_id, sequence, event, actor) SELECT order_id, 2, 'CANCELED', 'old' FROM canceled
"""


def manage(database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **database.env, "ORDER_ENTRY_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def write(connection: psycopg.Connection, prefix: str, count: int) -> None:
    with connection.transaction():
        connection.execute(_ORDER, {"prefix": prefix, "count": count})
        connection.execute(_PLACED, {"prefix": prefix})


@pytest.mark.long
def test_old_events_are_chained_under_load_and_stay_append_only_meanwhile(database):
    assert manage(database, "migrate", "-v0", "orders", "0007").returncode == 0
    migrated, refused = threading.Event(), []

    def go_on_writing() -> None:
        with database.connect() as connection:
            written = 0
            while not migrated.is_set() or written < 100:
                written += 1
                write(connection, f"NEW-{written}-", 1)
                connection.execute(_CANCEL, {"id": f"OLD-{written}"})
                try:
                    connection.execute("UPDATE order_events SET actor = 'x' WHERE order_id = 'OLD-20000'")
                except psycopg.errors.InsufficientPrivilege as error:
                    refused.append(str(error))

    with database.connect() as connection:
        write(connection, "OLD-", 20_000)
        writer = threading.Thread(target=go_on_writing)
        writer.start()
        done = manage(database, "migrate", "-v0")
        migrated.set()
        writer.join()
        assert done.returncode == 0, done.stderr
        events, unhashed = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE hash IS NULL) FROM order_events"
        ).fetchone()
        assert (events, unhashed) == (20_000 + 2 * len(refused), 0)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE order_events SET hash = hash")
    verified = manage(database, "verify_audit")
    assert verified.returncode == 0, verified.stdout[:2000]
