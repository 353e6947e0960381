"""One worker killed at one step, another one in its place, and whether the promises were kept.

Cases are generators that yield whenever they wait: many go on side by side on one thread, and closing them
ends the processes and removes the databases and queues they have.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings

from order_entry_project.embedded.processes import Child
from order_entry_project.proof import evidence, verifier
from order_entry_project.proof.ground import Ground
from order_entry_project.proof.ledger import Sent, read
from order_entry_project.proof.place import Place, own_place

# What the checks would look at is the same for all of them.
_WORK = ("consume_orders", "--skip-checks", "--once")
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
    order_ids = {read(message).order_id for message in sent if not message.broken}
    with own_place(ground, name, sorted(order_ids)) as place:
        place.queues.publish(sent)
        wrong = yield from _kill(ground, place, case.step)
        wrong += yield from _recover(ground, place)
        found = evidence.gather(
            place.book,
            place.cache,
            routed=place.queues.routed() if settings.CONFIG.mq.producer_queue else None,
            waiting=place.queues.waiting(),
            executions=ground.executions(prefix),
        )
    return wrong + [str(finding) for finding in verifier.findings(sent, found, router_was_well=True)]


def _kill(ground: Ground, place: Place, step: str) -> Generator[None, None, list[str]]:
    with ground.manage(place.name, *_WORK, "--crash-at", step, env=place.env) as worker:
        code = yield from _end(worker)
    if code == -signal.SIGKILL:
        return []
    if code == 0:
        return [f"no worker was killed: it did all there was to do and never passed {step}"]
    if code is None:
        return [f"no worker was killed: it did not pass {step} within {_PATIENCE:.0f} s"]
    return [f"the worker that was to be killed at {step} ended by itself, with {code}: {_last(worker)}"]


def _recover(ground: Ground, place: Place) -> Generator[None, None, list[str]]:
    """Start workers, the first at once, until there is nothing left that a worker could do."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with ground.manage(place.name, *_WORK, env=place.env) as worker:
            code = yield from _end(worker)
        if code != 0:
            return [f"a worker that took over ended with {code}: {_last(worker)}"]
        ((free_in,),) = place.book.execute(_FREE_IN).fetchall()
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
