"""A backup taken while orders come, restored as docs/operations.md says."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import psycopg
import pytest

from order_entry_project.embedded.postgres import binary
from tests.acceptance.system import system
from tests.builders import body
from tests.servers.postgres import USER, Database
from tests.waiting import wait_until

pytestmark = pytest.mark.long

_ORDERS = 100


@pytest.fixture
def emptied(database):
    """Another database on the same server, to restore into."""
    made = Database(name=f"{database.name}_restored", host=database.host)
    with psycopg.connect(host=database.host, user=USER, dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {made.name} TEMPLATE template0".encode())
        yield made
        server.execute(f"DROP DATABASE {made.name} WITH (FORCE)".encode())


def postgresql(program: str, database: Database, *arguments: str) -> None:
    argv = [binary(program), f"--host={database.host}", f"--username={USER}", *arguments]
    subprocess.run([*argv, f"--dbname={database.name}"], check=True, timeout=60)


def numbered(first: int) -> list[tuple[str, bytes]]:
    return [(f"m-{number}", body(f"ORD-{number}")) for number in range(first, first + _ORDERS)]


def test_a_restored_book_is_whole_and_takes_again_what_came_after_the_backup(
    database, emptied, rabbitmq, tmp_path
):
    dump = tmp_path / "orders.dump"
    with system(database, tmp_path, broker=rabbitmq.url, CACHE__STORE="postgresql") as made:
        made.start("consume_orders")
        made.publish(*numbered(0))
        postgresql("pg_dump", database, "--format=custom", f"--file={dump}")
        wait_until(lambda: made.statuses() == {"ROUTED": _ORDERS}, what="the first are routed")
        made.stack.close()

        # All that was there is gone; the queue, the router and who reads the routed queue remember.
        again = replace(made, env=made.env | emptied.env | {"ORDER_ENTRY__IDEMPOTENCY__EPOCH": "2"})
        postgresql("pg_restore", emptied, "--exit-on-error", "--single-transaction", str(dump))
        again.manage("migrate", "--verbosity=0")
        again.manage("verify_audit")
        # The senders send again what came since the backup, and go on.
        again.publish(*numbered(0), *numbered(_ORDERS))
        summary = again.drain()
        again.manage("repair_cache")
        again.manage("verify_audit")
        totals = made.router.executions()["totals"]

    with emptied.connect() as connection:
        statuses = connection.execute("SELECT status, count(*) FROM orders GROUP BY 1").fetchall()
        assert statuses == [("ROUTED", 2 * _ORDERS)]
        assert connection.execute("SELECT count(*) FROM rejected_messages").fetchone() == (0,)
    assert summary["rejected"] == 0
    # The router honours the key: what it had routed before the loss, it did not do again.
    assert (totals["executions"], totals["executed_twice"]) == (2 * _ORDERS, 0)
