"""What each index costs an order, and what its query takes without it. On a PostgreSQL of its own:

    python -m order_entry_project.embedded python -m benchmarks.index_costs

Fills the book with a million orders. Then, several rounds, each index in turn: batches of orders are placed and
settled as a worker does it, and its query is asked, with the index and without, now the one first and now the other.
CPU is the kernel's count for the server's process; WAL is without the images of whole pages that follow a checkpoint.
"""
# ruff: noqa: T201, S608 - it is a report; composed of constants

from __future__ import annotations

import argparse
import os
import statistics
import sys
from dataclasses import dataclass, field
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from benchmarks.console_book import fill  # noqa: E402 - Django comes first
from benchmarks.placing import BATCH, cpu_microseconds, place_and_settle, server_process  # noqa: E402
from orders.sql import Sql  # noqa: E402

_AN_HOUR = "BETWEEN now() - interval '5 days' AND now() - interval '5 days' + interval '1 hour'"  # of those filled in
# The query that each serves, as the service asks it. None: it holds a promise, and is not up for choice.
QUERIES: dict[str, str | None] = {
    "orders_created_at": "SELECT * FROM orders ORDER BY created_at DESC, order_id LIMIT 101",
    "orders_by_counterparty": "SELECT * FROM orders WHERE counterparty = 'DESK-190'"
    " ORDER BY created_at DESC, order_id LIMIT 101",
    "orders_by_symbol": "SELECT * FROM orders WHERE symbol = 'SYM480' ORDER BY created_at DESC, order_id LIMIT 101",
    "orders_status": "SELECT * FROM orders WHERE status = 'PLACED' AND claimed_until <= now() LIMIT 100",
    "orders_due": "SELECT * FROM orders WHERE status = 'PENDING_ROUTE' AND NOT needs_review AND due_at <= now()"
    " ORDER BY due_at LIMIT 100",
    "orders_in_review": "SELECT * FROM orders WHERE needs_review ORDER BY updated_at LIMIT 100",
    "order_events_at": f"SELECT event, count(*) FROM order_events WHERE at {_AN_HOUR} GROUP BY 1",
    "order_routes_decided_at": f"SELECT avg(latency_ms) FROM order_routes WHERE decided_at {_AN_HOUR}",
    "order_routes_unpublished": "SELECT * FROM order_routes WHERE published_at IS NULL AND publish_after <= now()"
    " ORDER BY publish_after LIMIT 100",
    "order_routes_one_accepted": None,
}


@dataclass
class Measured:
    """By state, `without` or `with`: µs of CPU and bytes of WAL per order, of each round; ms of the query."""

    cpu: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})
    wal: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})
    query: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})

    def price(self, figures: dict[str, list[float]]) -> float:
        """Median of what each round cost more with it than without."""
        pairs = zip(figures["with"], figures["without"], strict=True)
        return statistics.median(more - less for more, less in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20, help=f"of {BATCH} orders, in each state")
    parser.add_argument("--orders", type=int, default=1_000_000, help="in the book to begin with")
    options = parser.parse_args()
    sql = Sql(patience=600)
    _prepare(options.orders)
    measured = {name: Measured() for name in QUERIES}
    definitions = {name: _one(sql, f"SELECT pg_get_indexdef('{name}'::regclass)") for name in QUERIES}
    sizes = {name: _one(sql, f"SELECT pg_relation_size('{name}')") for name in QUERIES}
    rows = {
        name: _one(sql, f"SELECT reltuples FROM pg_class WHERE relname = '{_table(definitions[name])}'")
        for name in QUERIES
    }
    for number in range(options.rounds):
        for name, figures in measured.items():
            states = ("with", "without") if number % 2 else ("without", "with")
            for state in states:
                sql.run(f"DROP INDEX IF EXISTS {name}", {})
                if state == "with":
                    sql.run(definitions[name], {})
                _measure(sql, figures, state, QUERIES[name], options.batches)
            if states[-1] == "without":
                sql.run(definitions[name], {})
    total = statistics.median(cpu for figures in measured.values() for cpu in figures.cpu["with"])
    print(f"place and settle: {total:.0f} µs of the server's CPU per order\n")
    print("| index | CPU per order | WAL per order | MB per million rows | its query, ms | without it |")
    print("|---|---|---|---|---|---|")
    for name, figures in measured.items():
        per_million = sizes[name] / max(rows[name], 1)  # bytes per row are MB per million
        price = f"{figures.price(figures.cpu):+.1f} µs | {figures.price(figures.wal):+.0f} B"
        print(
            f"| `{name}` | {price} | {per_million:.1f} |"
            f" {_ms(figures.query['with'])} | {_ms(figures.query['without'])} |"
        )


def _prepare(orders: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM orders)")
        if cursor.fetchone() != (False,):
            sys.exit("The book is not empty: this is for a server of its own.")
        cursor.execute("ALTER SYSTEM SET full_page_writes = off")
        cursor.execute("SELECT pg_reload_conf()")
        fill(connection.connection, orders)
    connection.close()


def _measure(sql: Sql, figures: Measured, state: str, query: str | None, batches: int) -> None:
    place_and_settle(sql)  # planned anew
    process = server_process(sql)
    cpu, wal = cpu_microseconds(process), _wal(sql)
    for _ in range(batches):
        place_and_settle(sql)
    figures.cpu[state].append((cpu_microseconds(process) - cpu) / batches / BATCH)
    figures.wal[state].append((_wal(sql) - wal) / batches / BATCH)
    if query:
        ((plan,),) = sql.run(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", {})
        figures.query[state].append(plan[0]["Execution Time"])


def _one(sql: Sql, statement: str) -> Any:
    ((value,),) = sql.run(statement, {})
    return value


def _table(definition: str) -> str:
    return definition.split(" ON ")[1].split(maxsplit=1)[0].removeprefix("public.")


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times):.2f}" if times else "(a constraint)"


def _wal(sql: Sql) -> float:
    return float(_one(sql, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


if __name__ == "__main__":
    main()
