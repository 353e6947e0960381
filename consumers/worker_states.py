"""What a worker says of its breakers, into SQL: the console may run on another machine and see no worker's metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress

from prometheus_client import Gauge

from consumers.models import WorkerState
from orders.metrics import store_breaker_open
from orders.sql import Sql, SqlUnavailable
from routing.metrics import router_instance_breaker_open

_WORDS = {0.0: "closed", 0.5: "half-open", 1.0: "open"}

# Workers that ended without saying so are forgotten by those that live.
_TELL = """/* worker_state */
WITH gone AS (DELETE FROM worker_states WHERE seen_at < statement_timestamp() - interval '10 minutes')
INSERT INTO worker_states (worker, breakers, seen_at)
VALUES (%(worker)s, %(breakers)s::jsonb, statement_timestamp())
ON CONFLICT (worker) DO UPDATE SET breakers = excluded.breakers, seen_at = excluded.seen_at
"""
_END = "/* worker_end */ DELETE FROM worker_states WHERE worker = %(worker)s"


class WorkerReports:
    """Those of one worker; `worker` is its name. While SQL is away none is made, and none is missed."""

    def __init__(self, sql: Sql, worker: str) -> None:
        self._sql = sql
        self._worker = worker
        self._said: Mapping[str, str] | None = None
        self._due_at = 0.0

    def tell(self) -> None:
        """What has changed at once, else now and then that the worker is there."""
        breakers = breaker_states()
        if breakers == self._said and time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + WorkerState.TOLD_EVERY
        with suppress(SqlUnavailable):
            self._sql.run(_TELL, {"worker": self._worker, "breakers": json.dumps(breakers)})
            self._said = breakers

    def end(self) -> None:
        with suppress(SqlUnavailable):
            self._sql.run(_END, {"worker": self._worker})


def breaker_states() -> dict[str, str]:
    """Of each neighbour that has a breaker: closed, half-open or open."""
    routers = _states(router_instance_breaker_open, "router", "router {}")
    return routers | _states(store_breaker_open, "store", "{} store")


def _states(gauge: Gauge, label: str, name: str) -> dict[str, str]:
    (family,) = gauge.collect()
    return {name.format(sample.labels[label]): _WORDS[sample.value] for sample in family.samples}
