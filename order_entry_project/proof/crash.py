"""One worker killed at one step, another one in its place, and whether the promises were kept.

Cases are generators that yield whenever they wait: many go on side by side on one thread, and closing them
ends the processes and removes the databases and queues they have.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings

from order_entry_project.embedded.processes import Child
from order_entry_project.proof import evidence, verifier
from order_entry_project.proof.ground import Ground, environment
from order_entry_project.proof.ledger import Sent
from order_entry_project.proof.queues import AmqpQueues, EmbeddedQueues, Queues
from orders import status_cache
from orders.stores.choice import open_store

# Short, so that what a killed worker held is soon free; see the wait in `_recover`.
_ROUTER = {"timeout": "1s", "claim": "2s", "max_backoff": "1s", "honours_idempotency_key": True}
_REPUBLISH_AFTER = "1s"
_PATIENCE = 60.0  # seconds until what has not happened counts as a finding
_TICK = 0.02

# When everything that a dead worker held will be free for another: NULL when nothing is left to do.
_FREE_IN = """
SELECT extract(epoch FROM max(at) - statement_timestamp())::float8 FROM (
    SELECT coalesce(claimed_until, statement_timestamp()) AS at FROM orders WHERE status = 'PLACED'
    UNION ALL
    SELECT coalesce(claimed_until, due_at) FROM orders WHERE status = 'PENDING_ROUTE' AND NOT needs_review
    UNION ALL
    SELECT publish_after FROM order_routes WHERE published_at IS NULL AND publish_after IS NOT NULL
) AS held
"""


@dataclass(slots=True)
class Case:
    """`killed`: what the worker was killed over, in words; `findings`: in sentences, none when all is well."""

    step: str
    killed: str
    messages: Callable[[str], list[Sent]]
    findings: list[str] = field(default_factory=list)


def run_cases(ground: Ground, cases: Iterable[Case], *, at_once: int) -> Iterator[Case]:
    """Each case as it is done."""
    to_do = deque(enumerate(cases))
    running: dict[Generator[None, None, list[str]], Case] = {}
    try:
        while to_do or running:
            while to_do and len(running) < at_once:
                number, case = to_do.popleft()
                running[_crash(ground, f"{ground.run}_{number}", case)] = case
            for going, case in list(running.items()):
                try:
                    next(going)
                except StopIteration as end:
                    case.findings = end.value
                    del running[going]
                    yield case
            time.sleep(_TICK)
    finally:
        for going in running:
            going.close()


def _crash(ground: Ground, name: str, case: Case) -> Generator[None, None, list[str]]:
    prefix = f"PROVE-{name.replace('_', '-')}-"
    sent = case.messages(prefix)
    with _place(ground, name) as (book, queues, env):
        queues.publish(sent)
        wrong = yield from _kill(ground, name, case.step, env)
        wrong += yield from _recover(ground, name, book, env)
        cache = status_cache.from_settings(open_store(settings.CONFIG.cache_store, run=_runner(book)))
        found = evidence.gather(
            book,
            cache,
            routed=queues.routed() if settings.CONFIG.mq.producer_queue else None,
            waiting=queues.waiting(),
            executions=ground.executions(prefix),
        )
        cache.store.remove([cache.key(order_id) for order_id in found.orders])
    return wrong + [str(finding) for finding in verifier.findings(sent, found, router_was_well=True)]


@contextmanager
def _place(ground: Ground, name: str) -> Iterator[tuple[psycopg.Connection[Any], Queues, Mapping[str, str]]]:
    """A book and queues of the case's own, and what makes a worker use them."""
    configured = settings.CONFIG.mq
    database = f"order_entry_proof_{name}"
    consumer, producer = f"PROVE.{name}.VALIDATED", f"PROVE.{name}.ROUTED"
    # What is taken from a stream stays in it: whether all has been taken cannot be seen there.
    kind = "quorum" if configured.queue_type == "stream" else configured.queue_type
    mq = {
        "consumer_queue": consumer,
        "queue_type": kind,
        "declare": False,
        "republish_after": _REPUBLISH_AFTER,
        **({"producer_queue": producer} if configured.producer_queue else {}),
    }
    env = environment(database={"sql_database": database}, mq=mq, router=_ROUTER)
    with ground.server.database(database, ground.template), closing(ground.server.connect(database)) as book:
        queues: Queues = (
            EmbeddedQueues(book, consumer, producer)
            if configured.embedded
            else AmqpQueues(consumer, producer, kind=kind)
        )
        queues.declare()
        try:
            yield book, queues, env
        finally:
            queues.delete()


def _kill(ground: Ground, name: str, step: str, env: Mapping[str, str]) -> Generator[None, None, list[str]]:
    with ground.manage(
        name, "consume_orders", "--skip-checks", "--once", "--crash-at", step, env=env
    ) as worker:
        code = yield from _end(worker)
    if code == -signal.SIGKILL:
        return []
    if code == 0:
        return [f"no worker was killed: it did all there was to do and never passed {step}"]
    if code is None:
        return [f"no worker was killed: it did not pass {step} within {_PATIENCE:.0f} s"]
    return [f"the worker that was to be killed at {step} ended by itself, with {code}: {_last(worker)}"]


def _recover(
    ground: Ground, name: str, book: psycopg.Connection[Any], env: Mapping[str, str]
) -> Generator[None, None, list[str]]:
    """Start workers, the first at once, until there is nothing left that a worker could do."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with ground.manage(name, "consume_orders", "--skip-checks", "--once", env=env) as worker:
            code = yield from _end(worker)
        if code != 0:
            return [f"a worker that took over ended with {code}: {_last(worker)}"]
        ((free_in,),) = book.execute(_FREE_IN).fetchall()
        if free_in is None:
            return []
        free_at = time.monotonic() + free_in
        while time.monotonic() < free_at:
            yield
    return [f"after {_PATIENCE:.0f} s there was still something left to do"]


def _end(worker: Child) -> Generator[None, None, int | None]:
    """The exit code, None when it is still running after a long time."""
    until = time.monotonic() + _PATIENCE
    while worker.exit_code() is None and time.monotonic() < until:
        yield
    return worker.exit_code()


def _last(worker: Child) -> str:
    """The last line of its log."""
    said = worker.log.read_text(errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"


def _runner(book: psycopg.Connection[Any]) -> Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]:
    def run(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = psycopg.Cursor(book)
        cursor.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    return run
