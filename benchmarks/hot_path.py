"""Where the microseconds of an order go: `python -m benchmarks.hot_path [--orders 20000] [--page]`.

Runs one real worker, everything on, on the private stack of `make bench`, and charges the CPU time of its thread to the
piece that uses it: functions of each piece are wrapped, and a piece is charged what it uses less what others use
within it. What the wrapping itself costs is measured and taken off. Prints a table of µs per order, and with `--page`
puts it into docs/performance.md.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from greenlet import greenlet, settrace

_WARM_UP = 2_000  # orders, not counted
_REST = "event loop, pipeline, dispatcher: what is in nothing below"
# What is charged to each piece: module, function.
_PIECES: dict[str, list[tuple[str, str]]] = {
    "queue client: deliver, publish, confirm, acknowledge": [
        (
            "pika.adapters.utils.selector_ioloop_adapter",
            "SelectorIOServicesAdapter._on_reader_writer_fd_events",
        ),
        ("consumers.amqp_publisher", "AmqpPublisher.publish"),
        ("consumers.amqp_consumer", "AmqpConsumer.ack"),
    ],
    "decode and validate": [("orders.schema", "decode")],
    "digest": [("orders.schema", "_canonical"), ("orders.schema", "sha256")],
    "documents: cache, router, queue": [
        ("routing.claims", "encode_core"),
        ("orders.documents", "status_document"),
        ("orders.documents", "router_body"),
        ("orders.documents", "routed_message"),
    ],
    "SQL: parameters": [
        ("orders.array_parameters", "ArrayDumper.dump"),
        ("orders.book", "_columns"),
        ("routing.decisions", "_columns"),
        ("routing.publications", "marks"),
    ],
    "SQL: send, wait, results": [("orders.sql", "Sql.run")],
    "store: records": [
        ("orders.status_cache", "StatusCache.record"),
        ("consumers.idempotency", "Idempotency.record"),
    ],
    "store: write": [("orders.stores.redis", "RedisStore.write")],
    "store: read of marks": [("orders.stores.redis", "RedisStore.read")],
    "router client": [
        ("routing.router", "RouterClient.post"),
        ("routing.multi", "Multi._on_ready"),
        ("routing.multi", "Multi._on_timer"),
    ],
    "router calls: policy, breaker, attempts": [
        ("routing.calls", "Calls.start"),
        ("routing.calls", "Calls._answered"),
    ],
    "metrics": [
        ("prometheus_client", "Counter.inc"),
        ("prometheus_client", "Histogram.observe"),
        ("consumers.tally", "Tally.arrived"),
        ("consumers.tally", "Tally.routed_after"),
        ("consumers.tally", "Tally.answered"),
    ],
    "logs": [("consumers.order_log", "settled"), ("routing.call_log", "answered")],
    "traces (1 %)": [
        ("consumers.traces", "arrived"),
        ("consumers.traces", "named"),
        ("consumers.traces", "publication"),
        ("orders.tracing", "record"),
        ("orders.tracing", "begin"),
    ],
}


class Account:
    """CPU seconds of this thread by piece: at each moment the innermost one is charged.

    A greenlet that waits keeps its pieces, and others are charged meanwhile.
    """

    def __init__(self) -> None:
        self._stack = [_REST]
        self._stacks: dict[greenlet, list[str]] = {}
        self.clear()

    def switched(self, event: str, greenlets: tuple[greenlet, greenlet]) -> None:
        """For `greenlet.settrace`."""
        del event
        origin, target = greenlets
        self.charge()
        if not origin.dead:
            self._stacks[origin] = self._stack
        self._stack = self._stacks.pop(target, [_REST])

    def clear(self) -> None:
        self.seconds = dict.fromkeys((_REST, *_PIECES), 0.0)
        self.entered: Counter[str] = Counter()  # calls, by the piece that is called
        self.left: Counter[str] = Counter()  # calls, by the piece that calls
        self._since = time.thread_time()

    def charge(self) -> None:
        now = time.thread_time()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def charging(self, piece: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def charged(*args: Any, **kwargs: Any) -> Any:
            self.left[self._stack[-1]] += 1
            self.entered[piece] += 1
            self.charge()
            self._stack.append(piece)
            try:
                return function(*args, **kwargs)
            finally:
                self.charge()
                self._stack.pop()

        return charged

    def per_order(self, orders: int) -> dict[str, float]:
        """µs, without what the wrapping costs the piece that calls and the one that is called."""
        calling, called = _overhead()
        return {
            piece: 1e6 * (spent - called * self.entered[piece] - calling * self.left[piece]) / orders
            for piece, spent in self.seconds.items()
        }


def _overhead() -> tuple[float, float]:
    """Seconds that a wrapped call costs its caller and itself."""
    account, calls = Account(), 100_000
    nothing = account.charging("logs", lambda: None)
    for _ in range(calls):
        nothing()
    account.charge()
    return account.seconds[_REST] / calls, account.seconds["logs"] / calls


class _Clock:
    """Told of each step: begins to count when so many orders have been routed, and knows how many it counted."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.routed = -_WARM_UP

    def passed(self, step: str) -> None:
        if step == "confirm":
            self.routed += 1
            if self.routed == 0:
                self._account.clear()


def work() -> None:
    """The worker, in a process of its own: its table as JSON."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "order_entry_project.settings"
    django.setup()
    account = Account()
    settrace(account.switched)
    for piece, functions in _PIECES.items():
        for module, name in functions:
            path, _, last = name.rpartition(".")
            owner: Any = import_module(module)
            owner = attrgetter(path)(owner) if path else owner
            setattr(owner, last, account.charging(piece, getattr(owner, last)))
    from consumers.worker import Worker

    clock = _Clock(account)
    Worker(once=True, passed=clock.passed).run()
    account.charge()
    print(json.dumps(account.per_order(clock.routed)))


def measure(folder: Path, orders: int) -> dict[str, float]:
    """µs per order by piece."""
    from benchmarks.order_path import books, load
    from benchmarks.order_path.contenders import SERVICE, TUNED
    from benchmarks.order_path.stack import stack

    with stack(folder) as running:
        running.create_database(books.SERVICE)
        load.fill(running, "HOT", _WARM_UP + orders)
        env = SERVICE.start(running, TUNED, books.SERVICE).env | {
            "ORDER_ENTRY__SERVICE__RATE_LIMIT": "1000000"
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.hot_path", "--work"],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on a disk, for the stack")  # noqa: S108 - a folder of its own is made there
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--page", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args()
    if chosen.work:
        work()
        return
    table = _table(measure(chosen.folder, chosen.orders))
    print(table)
    if chosen.page:
        from benchmarks.order_path.markdown import replaced
        from benchmarks.order_path.page import DOCS

        page = DOCS / "performance.md"
        page.write_text(replaced(page.read_text(encoding="utf-8"), "hot path", table), encoding="utf-8")


def _table(pieces: dict[str, float]) -> str:
    whole = sum(pieces.values())
    lines = ["| piece | µs per order | share |", "|---|---:|---:|"]
    for piece, spent in sorted(pieces.items(), key=lambda row: -row[1]):
        lines.append(f"| {piece} | {spent:.1f} | {100 * spent / whole:.0f} % |")
    return "\n".join([*lines, f"| **sum** | **{whole:.0f}** | |"])


if __name__ == "__main__":
    main()
