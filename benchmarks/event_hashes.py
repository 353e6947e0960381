"""What the hashes of events cost PostgreSQL, per order: `python -m benchmarks.event_hashes`, on a database of its own.

Places and settles batches of orders as a worker does, every other one without the trigger and what serves it, and
reads from the kernel the CPU time that the server's process spent on them. The server must run on this machine, and
the user own the tables.
"""

from __future__ import annotations

import os
import re
import statistics

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from benchmarks.placing import BATCH, cpu_microseconds, place_and_settle, server_process  # noqa: E402 - Django first
from orders.sql import Sql  # noqa: E402
from routing import decisions  # noqa: E402

BATCHES = 120
WARM_UP = 10


def main() -> None:
    sql = Sql(patience=10)
    sql.run("ALTER TABLE order_events ALTER COLUMN hash DROP NOT NULL", {})
    chained = decisions._SETTLE_ROUTED  # noqa: SLF001 - measured as it is, and without its look-up
    statements = {"ENABLE": chained, "DISABLE": re.sub(r"\(SELECT e\.hash .*?\)", "NULL", chained)}
    process = server_process(sql)
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


if __name__ == "__main__":
    main()
