"""Orders placed and settled as a worker does it, in batches, for what measures PostgreSQL's side of it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from uuid import uuid4

from orders import book
from orders.sql import Sql
from routing import decisions
from routing.claims import Claimed
from routing.models import Outcome
from tests import builders

BATCH = 200
_ACTOR = "order-entry@host-1:4711"


def place_and_settle(sql: Sql) -> None:
    """One batch of new orders."""
    claim = uuid4()
    arrivals = sorted(
        (builders.arrival(uuid4().hex) for _ in range(BATCH)), key=lambda arrival: arrival.order.order_id
    )
    book.place(sql, arrivals, claim=claim, hold=30, actor=_ACTOR)
    attempts = [
        builders.attempt(
            Claimed(arrival.order, arrival.message_id, "PLACED", claim, monotonic() + 30), Outcome.ACCEPTED
        )
        for arrival in arrivals
    ]
    settled = decisions.settle_routed(sql, attempts, published=[], publish_in=60, actor=_ACTOR)
    assert len(settled) == BATCH  # noqa: S101 - a figure of anything else is none


def server_process(sql: Sql) -> int:
    """The process of the server that serves `sql`."""
    ((process,),) = sql.run("SELECT pg_backend_pid()", {})
    return int(process)


def cpu_microseconds(process: int) -> float:
    """What a process of one thread has used, finer than the clock's tick."""
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1000
