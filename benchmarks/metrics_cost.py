"""What measuring costs an order: `python -m benchmarks.metrics_cost`, on a quiet machine.

Times the calls of the metrics that a worker makes on an order's way, with the objects it makes them on: what each
order costs, what each batch costs, and what the snapshot costs that is written about once a second.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import os
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from consumers import metrics  # noqa: E402 - models come first
from consumers.snapshots import Snapshots  # noqa: E402
from consumers.tally import Tally  # noqa: E402
from consumers.transport import Outcome as Publication  # noqa: E402
from orders.metrics import aerospike_write_latency_ms, sql_latency_ms, store_read_latency_ms  # noqa: E402
from routing import calls  # noqa: E402
from routing.metrics import orders_routed  # noqa: E402
from routing.models import Outcome  # noqa: E402

BATCH = 100  # orders that share a batch when there is plenty to do
RATE = 5_000  # orders a second of one process, to share out the snapshot
REPEATS = 5
_BATCHED_STATEMENTS = ("place", "settle_routed", "store_write", "store_write", "store_read")


def best(call: Callable[[], object], *, number: int) -> float:
    """Microseconds of one call: the best of some runs, the others had company."""
    return min(timeit.repeat(call, number=number, repeat=REPEATS)) / number * 1e6


def main() -> None:
    tally = Tally()
    answered = calls._latency[Outcome.ACCEPTED]  # noqa: SLF001 - what it keeps is what is timed
    arrived = time.monotonic() - 0.02
    writes, reads = aerospike_write_latency_ms.labels("bench"), store_read_latency_ms.labels("bench")
    per_order = {
        "taken": lambda: tally.arrived(arrived, "BENCH"),
        "router call answered": lambda: answered.observe(12.0),
        "routed (with the summary's list)": lambda: tally.routed_after(arrived),
        "publication answered": lambda: tally.answered(Publication.CONFIRMED),
        "publication's latency": lambda: metrics.published.observe(3.0),
    }

    def batch() -> None:
        metrics.batch_size.observe(BATCH)
        metrics.waited.observe(4.0)
        metrics.decoded.observe(4.0)
        for statement in _BATCHED_STATEMENTS:
            sql_latency_ms.labels(statement).observe(2.0)
        reads.observe(2.0)
        writes.observe(2.0)
        writes.observe(2.0)
        orders_routed.inc(BATCH)

    total = 0.0
    print("per order, µs")
    for name, call in per_order.items():
        cost = best(call, number=20_000)
        total += cost
        print(f"  {name:<34}{cost:6.2f}")
    cost = best(batch, number=2_000)
    total += cost / BATCH
    print(f"  {f'{cost:.1f} a batch of {BATCH}':<34}{cost / BATCH:6.2f}")
    with TemporaryDirectory() as folder:
        cost = best(Snapshots(Path(folder)).write, number=50)
    total += cost / RATE
    print(f"  {f'{cost / 1000:.1f} ms a snapshot, at {RATE}/s':<34}{cost / RATE:6.2f}")
    print(f"  {'together':<34}{total:6.2f}")


if __name__ == "__main__":
    main()
