"""The console's first page: what needs a person now, how things go. It refreshes itself, see home.js."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from order_entry_project import health
from order_entry_project.console import history, waiting, workers
from order_entry_project.console.charts import Chart
from order_entry_project.console.history import Minute, Period
from order_entry_project.console.history_charts import days_chart, latency_chart, throughput_chart
from order_entry_project.console.waiting import Waiting
from order_entry_project.console.workers import Workers

# However many look, the book is asked this often by this process, seconds.
_FRESH = 3.0
_RECENT = 5  # minutes
_COMPONENTS = {"service_registry": "service registry", "mq": "queue", "sql": "SQL"}


@dataclass(frozen=True)
class Router:
    """How the router has been doing, by what the book has on record of the last minutes' calls."""

    routed: int
    refused: int
    unanswered: int

    @property
    def state(self) -> str:
        if not self.unanswered:
            return "UP" if self.routed or self.refused else "no calls"
        return "DEGRADED" if self.routed or self.refused else "DOWN"


@dataclass(frozen=True)
class Home:
    at: datetime
    in_review: Waiting
    pending: Waiting
    rejected: Waiting
    unpublished: Waiting
    halts: Waiting
    components: Mapping[str, bool]
    router: Router
    workers: Workers | None
    per_second: float | None
    median: float | None
    late: float | None
    charts: Sequence[Chart]

    @property
    def overall(self) -> str:
        return health.overall(self.components)

    @property
    def shown_components(self) -> list[tuple[str, bool]]:
        """With the words people use; the spec's "aerospike" is whatever store is configured."""
        words = _COMPONENTS | {"aerospike": f"cache ({settings.CONFIG.cache_store})"}
        return [(words[name], up) for name, up in self.components.items()]


class Kept:
    """One answer for all who ask within `_FRESH` seconds; who comes while it is being found waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._home: Home | None = None
        self._found_at = 0.0

    def home(self) -> Home:
        with self._lock:
            if self._home is None or time.monotonic() - self._found_at > _FRESH:
                self._home = _found(datetime.now(UTC))
                self._found_at = time.monotonic()
            return self._home


def _found(now: datetime) -> Home:
    hour = history.last_hour(now)
    recent = [period.value for period in hour[-_RECENT:] if period.value]
    return Home(
        at=now,
        in_review=waiting.in_review(),
        pending=waiting.pending(),
        rejected=waiting.rejected(),
        unpublished=waiting.unpublished(),
        halts=waiting.halts(),
        components=health.HealthView.health.states(),
        router=Router(
            sum(minute.routed for minute in recent),
            sum(minute.refused for minute in recent),
            sum(minute.unanswered for minute in recent),
        ),
        workers=workers.found(),
        per_second=sum(minute.routed for minute in recent) / (60 * len(recent)) if recent else None,
        **_latency(hour),
        charts=[throughput_chart(hour), latency_chart(hour), days_chart(history.last_days(now))],
    )


def _latency(hour: Sequence[Period[Minute]]) -> dict[str, float | None]:
    """Of the last minute that had orders."""
    for period in reversed(hour):
        if period.value and period.value.median is not None:
            return {"median": period.value.median, "late": period.value.late}
    return {"median": None, "late": None}


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the index page shows beside its frame (unfold's DASHBOARD_CALLBACK)."""
    return context | figures(request)


@require_safe
@never_cache
def fragment(request: HttpRequest) -> HttpResponse:
    """The figures alone, for the page to put in the place of those it shows."""
    return render(request, "console/figures.html", figures(request))


def figures(request: HttpRequest) -> dict[str, Any]:
    """For the template: `home` and how many minutes are `recent`, or `failure`; nothing for who may not see orders."""
    if not request.user.has_perm("orders.view_order"):
        return {}
    try:
        return {"home": _kept.home(), "recent": _RECENT}
    except (OperationalError, InterfaceError):
        return {"failure": "The order book (SQL) does not answer."}


_kept = Kept()
