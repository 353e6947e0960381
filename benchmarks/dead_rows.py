"""How many dead rows orders leave, and when they are vacuumed: `python -m benchmarks.dead_rows`.

Places and settles orders in the book that is configured, on one connection, and says what the server tells of its
tables ten times on the way. With --defaults: as it were without the settings of the migrations, within this run only.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import argparse
import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from benchmarks.placing import BATCH, place_and_settle  # noqa: E402 - Django comes first
from orders.sql import Sql  # noqa: E402

_TABLES = """
SELECT relname, n_dead_tup, n_tup_upd, n_tup_hot_upd, autovacuum_count, pg_relation_size(relid) / 1048576
FROM pg_stat_user_tables WHERE relname IN ('orders', 'order_routes', 'order_events') ORDER BY 1
"""
_SETTINGS = """
SELECT format('ALTER TABLE %I SET (%s)', relname, array_to_string(reloptions, ', ')),
       format('ALTER TABLE %I RESET (%s)', relname,
              (SELECT string_agg(split_part(o, '=', 1), ', ') FROM unnest(reloptions) o))
FROM pg_class WHERE relname IN ('orders', 'order_routes', 'order_events') AND reloptions IS NOT NULL
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--defaults", action="store_true")
    options = parser.parse_args()
    sql = Sql(patience=60)
    settings = sql.run(_SETTINGS, {}) if options.defaults else []
    for _, reset in settings:
        sql.run(reset, {})
    try:
        _run(sql, options.orders)
    finally:
        for kept, _ in settings:
            sql.run(kept, {})


def _run(sql: Sql, orders: int) -> None:
    began, batches = time.monotonic(), orders // BATCH
    for number in range(1, batches + 1):
        place_and_settle(sql)
        if number % (batches // 10) == 0:
            time.sleep(1)  # until the server has counted
            print(f"{number * BATCH:,} orders, {time.monotonic() - began:.0f} s")
            for table, dead, updated, hot, vacuums, size in sql.run(_TABLES, {}):
                print(
                    f"  {table}: {dead:,} dead rows, {vacuums} vacuums, {updated:,} updates ({hot} HOT), {size} MB"
                )


if __name__ == "__main__":
    main()
