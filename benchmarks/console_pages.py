"""How long the console's list pages take: `python -m benchmarks.console_pages`, on a quiet machine.

Asks each list, filter, search and combination of them again and again, in turn, through Django's test client: all
that a web process does but for the sockets. `--orders N` first fills the configured database, migrated and empty, with
a book of N orders. Prints milliseconds per page, median and 95th percentile, in all and of SQL; ends with 1 where a
page's 95th percentile is not below `--limit`.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django comes first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from benchmarks import console_book  # noqa: E402
from orders.models import Order  # noqa: E402

_USER = "console-pages"
_ORDERS, _REJECTED = "orders/order/", "consumers/rejectedmessage/"


@dataclass
class Page:
    """One page and what it took, seconds: each time in all, of that waiting for SQL, and of this process's CPU."""

    name: str
    path: str
    total: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    queries: int = 0

    def figures(self) -> dict[str, Any]:
        return {
            "page": self.name,
            "path": self.path,
            "median_ms": _milliseconds(statistics.median(self.total)),
            "p95_ms": _milliseconds(_p95(self.total)),
            "worst_ms": _milliseconds(max(self.total)),
            "sql_median_ms": _milliseconds(statistics.median(self.sql)),
            "sql_p95_ms": _milliseconds(_p95(self.sql)),
            "cpu_median_ms": _milliseconds(statistics.median(self.cpu)),
            "queries": self.queries,
        }


def pages() -> Iterator[Page]:
    """Every list of the console; of the orders with what the book has most of, and with what it has least of."""
    last = Order.objects.order_by("-created_at").values_list("order_id", "created_at")[0]
    first = Order.objects.order_by("created_at").values_list("order_id", "created_at")[0]
    common, rare = (
        {"symbol": "SYM0", "counterparty": "DESK-0"},
        {"symbol": "SYM437", "counterparty": "DESK-187"},
    )
    day = {"created_at_from": f"{first[1]:%Y-%m-%d}", "created_at_to": f"{first[1]:%Y-%m-%d}"}
    today = {"created_at_from": f"{last[1]:%Y-%m-%d}"}
    of_orders: dict[str, dict[str, Any]] = {
        "all": {},
        "page 2": {"p": 2},
        "page 100": {"p": 100},
        "oldest first": {"o": 10},
        "by id": {"o": 1},
        "needs review": {"needs_review__exact": 1},
        "buys": {"side__exact": "BUY"},
        "today": today,
        "the first day": day,
        "common counterparty": {"counterparty": common["counterparty"]},
        "rare counterparty": {"counterparty": rare["counterparty"]},
        "unknown counterparty": {"counterparty": "NOBODY"},
        "unpublished": {"unpublished": "yes"},
        "search: whole id": {"q": last[0]},
        "search: a day's ids": {"q": first[0][:12]},
        "search: all ids": {"q": "ORD-"},
        "search: common symbol": {"q": common["symbol"]},
        "search: rare symbol": {"q": rare["symbol"]},
        "search: common counterparty": {"q": common["counterparty"]},
        "search: nothing": {"q": "no-such-thing"},
        "common symbol, executed": {"q": common["symbol"], "status__exact": "EXECUTED"},
        "common symbol, pending": {"q": common["symbol"], "status__exact": "PENDING_ROUTE"},
        "common symbol, first day": {"q": common["symbol"], **day},
        "common symbol and counterparty": {"q": common["symbol"], "counterparty": common["counterparty"]},
        "rare symbol and counterparty": {"q": rare["symbol"], "counterparty": rare["counterparty"]},
        "common symbol, rare counterparty": {"q": common["symbol"], "counterparty": rare["counterparty"]},
        "common counterparty, canceled": {
            "counterparty": common["counterparty"],
            "status__exact": "CANCELED",
        },
        "common counterparty, in review": {"counterparty": common["counterparty"], "needs_review__exact": 1},
        "common counterparty, oldest first": {"counterparty": common["counterparty"], "o": 10},
        "canceled on the first day": {"status__exact": "CANCELED", **day},
        "sells executed today": {"side__exact": "SELL", "status__exact": "EXECUTED", **today},
        "ids of a day, canceled": {"q": first[0][:12], "status__exact": "CANCELED"},
        "all ids, in review": {"q": "ORD-", "needs_review__exact": 1},
        "all ids, pending": {"q": "ORD-", "status__exact": "PENDING_ROUTE"},
        "all ids, rare counterparty": {"q": "ORD-", "counterparty": rare["counterparty"]},
        "all ids, common counterparty": {"q": "ORD-", "counterparty": common["counterparty"]},
        "all ids, unknown counterparty": {"q": "ORD-", "counterparty": "NOBODY"},
        "all ids, first day, canceled": {"q": "ORD-", "status__exact": "CANCELED", **day},
        "everything at once": {
            "q": common["symbol"],
            "counterparty": rare["counterparty"],
            "status__exact": "PENDING_ROUTE",
            "needs_review__exact": 1,
            "side__exact": "SELL",
            **day,
        },
        **{
            f"status {status}": {"status__exact": status}
            for status in ("PLACED", "ROUTED", "PENDING_ROUTE", "EXECUTED", "CANCELED")
        },
        **{
            f"status {status}, oldest first": {"status__exact": status, "o": 10}
            for status in ("PLACED", "ROUTED", "PENDING_ROUTE")
        },
    }
    for name, query in of_orders.items():
        yield _page(f"orders: {name}", _ORDERS, query)
    rejected: dict[str, dict[str, Any]] = {
        "in groups": {},
        "any": {"state": "ANY"},
        "page 2": {"state": "ANY", "p": 2},
        "discarded": {"state": "DISCARDED"},
        "by reason": {"reason__exact": "BAD_VALUE"},
        "conflicts of any state": {"reason__exact": "CONFLICT", "state": "ANY"},
        "by fault": {"fault": "price", "state": "ANY"},
        "by an absent fault": {"fault": "symbol"},
        "search: id": {"q": "message-77"},
        "search: nothing": {"q": "no-such-thing"},
    }
    for name, query in rejected.items():
        yield _page(f"rejected: {name}", _REJECTED, query)
    yield _page("halts", "orders/halt/", {})
    yield _page("approvals waiting", "routing/routeapproval/", {})
    yield _page("approvals, all", "routing/routeapproval/", {"state": "all"})
    yield _page("actions on orders", "routing/bulkaction/", {})
    yield _page("audit", "orders/auditentry/", {})
    yield _page("audit: search", "orders/auditentry/", {"q": "ORD-77"})
    yield _page("users", "auth/user/", {})
    yield _page("API tokens", "orders/apitoken/", {})


def _page(name: str, path: str, query: dict[str, Any]) -> Page:
    return Page(name, f"/admin/{path}" + (f"?{urlencode(query)}" if query else ""))


class Watch:
    """How long SQL was waited for, and how often."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.queries = 0

    def __call__(self, execute: Callable[..., Any], *what: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*what)
        finally:
            self.seconds += time.perf_counter() - began
            self.queries += 1


def ask(client: Client, page: Page) -> None:
    watch = Watch()
    began, computed = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(watch):
        answer = client.get(page.path)
    page.total.append(time.perf_counter() - began)
    page.cpu.append(time.process_time() - computed)
    page.sql.append(watch.seconds)
    page.queries = watch.queries
    if answer.status_code != 200:  # noqa: PLR2004 - OK
        raise SystemExit(f"{page.path} was answered {answer.status_code}")


@contextmanager
def someone() -> Iterator[Client]:
    """A superuser at the console, who is gone afterwards."""
    user = User.objects.create_superuser(_USER)
    try:
        client = Client(headers={"host": "localhost"})
        client.force_login(user)
        yield client
    finally:
        user.delete()


def measure(times: int, wanted: str) -> list[Page]:
    """In turn, so that no page finds the caches as it left them itself; the first round is not counted."""
    chosen = [page for page in pages() if wanted in page.name]
    with someone() as client:
        for page in chosen:
            ask(client, page)
            page.total.clear()
            page.sql.clear()
            page.cpu.clear()
        for _ in range(times):
            for page in chosen:
                ask(client, page)
    return chosen


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, -(-len(seconds) * 95 // 100) - 1)]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _tabled(found: list[dict[str, Any]], limit: float) -> None:
    print(f"{'':44}{'median':>8}{'p95':>8}{'worst':>8}{'SQL':>8}{'SQL p95':>9}{'CPU':>7}{'queries':>9}  ms")
    for each in sorted(found, key=lambda each: -float(each["p95_ms"])):
        print(
            f"{each['page']:44}{each['median_ms']:8.1f}{each['p95_ms']:8.1f}{each['worst_ms']:8.1f}"
            f"{each['sql_median_ms']:8.1f}{each['sql_p95_ms']:9.1f}{each['cpu_median_ms']:7.1f}{each['queries']:9}"
            f"{'  over' if each['p95_ms'] >= limit else ''}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, help="fill the empty book with so many orders before")
    parser.add_argument("--times", type=int, default=40, help="how often each page is asked for (40)")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument(
        "--limit", type=float, default=200.0, help="milliseconds of the 95th percentile (200)"
    )
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args()
    if options.orders and not Order.objects.exists():
        console_book.fill(connection.connection, options.orders)
    found = [page.figures() for page in measure(options.times, options.only)]
    if options.json:
        print(json.dumps({"limit_ms": options.limit, "pages": found}, indent=2))
    else:
        _tabled(found, options.limit)
    sys.exit(any(each["p95_ms"] >= options.limit for each in found))


if __name__ == "__main__":
    main()
