"""What the hashes of events cost PostgreSQL, per order: `python benchmarks/event_hashes.py`, on a database of its own.

Places and settles batches of orders as a worker does, every other one without the trigger and what serves it, and
reads from the kernel the CPU time that the server's process spent on them. The server must run on this machine, and
the user own the tables.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
from pathlib import Path
from time import monotonic
from uuid import uuid4

import django

BATCH, BATCHES = 200, 120
WARM_UP = 10

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from orders import book  # noqa: E402 - Django comes first
from orders.sql import Sql  # noqa: E402
from routing import decisions  # noqa: E402
from routing.claims import Claimed  # noqa: E402
from routing.models import Outcome  # noqa: E402
from tests import builders  # noqa: E402


def place_and_settle(sql: Sql) -> None:
    claim = uuid4()
    arrivals = sorted(
        (builders.arrival(uuid4().hex) for _ in range(BATCH)), key=lambda arrival: arrival.order.order_id
    )
    book.place(sql, arrivals, claim=claim, hold=30, actor="order-entry@host-1:4711")
    attempts = [
        builders.attempt(
            Claimed(arrival.order, arrival.message_id, "PLACED", claim, monotonic() + 30), Outcome.ACCEPTED
        )
        for arrival in arrivals
    ]
    settled = decisions.settle_routed(
        sql, attempts, published=[], publish_in=None, actor="order-entry@host-1:4711"
    )
    assert len(settled) == BATCH  # noqa: S101 - a figure of anything else is none


def cpu_microseconds(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1000


def main() -> None:
    sql = Sql(patience=10)
    sql.run("ALTER TABLE order_events ALTER COLUMN hash DROP NOT NULL", {})
    chained = decisions._SETTLE_ROUTED  # noqa: SLF001 - measured as it is, and without its look-up
    statements = {"ENABLE": chained, "DISABLE": re.sub(r"\(SELECT e\.hash .*?\)", "NULL", chained)}
    ((process,),) = sql.run("SELECT pg_backend_pid()", {})
    spent: dict[str, list[float]] = {"DISABLE": [], "ENABLE": []}
    for number in range(WARM_UP + BATCHES):
        state = ("DISABLE", "ENABLE")[number % 2]
        sql.run(f"ALTER TABLE order_events {state} TRIGGER order_events_chained", {})
        decisions._SETTLE_ROUTED = statements[state]  # noqa: SLF001 - see above
        # Replanned after the change: not part of the figure.
        place_and_settle(sql)
        before = cpu_microseconds(process)
        place_and_settle(sql)
        if number >= WARM_UP:
            spent[state].append((cpu_microseconds(process) - before) / BATCH)
    without, hashed = (statistics.median(spent[state]) for state in ("DISABLE", "ENABLE"))
    print(f"without hashes {without:.1f} µs per order, with {hashed:.1f} µs: {hashed / without - 1:+.1%}")  # noqa: T201


main()
