"""Nothing is lost and nothing is done twice while everything around three workers fails."""

from __future__ import annotations

import logging
import secrets
import time
from pathlib import Path

import pytest

from order_entry_project.proof.evidence import gather
from order_entry_project.proof.verifier import findings
from tests.chaos.director import Director
from tests.chaos.faults import LANES, Fault, worker_whose_clock_is_an_hour_off
from tests.chaos.traffic import MESSAGES_PER_ORDER
from tests.chaos.workers import clock_library
from tests.chaos.world import DRAIN_TIMEOUT, World, world
from tests.servers.asking import fail_where_nothing_may_be_missing
from tests.servers.unavailable import UnavailableError
from tests.waiting import wait_until

log = logging.getLogger(__name__)

_UNSETTLED = """
SELECT (SELECT count(*) FROM orders WHERE status = 'PLACED'
                                       OR status = 'PENDING_ROUTE' AND NOT needs_review),
       (SELECT count(*) FROM order_routes WHERE publish_after IS NOT NULL AND published_at IS NULL)
"""


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--chaos-seed")
    return secrets.randbelow(10**6) if given is None else int(given)


@pytest.mark.timeout(300)
def test_short_chaos_leaves_nothing_lost_and_nothing_twice(tmp_path: Path, seed: int) -> None:
    _survive(tmp_path, seed, orders=2_000, rate=110, turn=20, patience=60)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_short_chaos_over_amqp_1_0_leaves_nothing_lost_and_nothing_twice(
    tmp_path: Path, seed: int, amqp10_package: None
) -> None:
    _survive(tmp_path, seed, orders=2_000, rate=110, turn=20, patience=60, amqp10=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_long_chaos_leaves_nothing_lost_and_nothing_twice(
    tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    amqp10 = request.config.getoption("--chaos-amqp10")
    _survive(tmp_path, seed, orders=20_000, rate=150, turn=60, patience=90, amqp10=amqp10)


def _survive(
    folder: Path,
    seed: int,
    *,
    orders: int,
    rate: float,
    turn: float,
    patience: float,
    amqp10: bool = False,
) -> None:
    log.warning("make chaos SEED=%d repeats this sequence; logs are in %s", seed, folder)
    with world(folder, seed=seed, rate=rate, amqp10=amqp10) as here:
        here.workers.start("supervised")
        here.workers.start("alone")
        here.load.start()
        wait_until(
            lambda: here.rows("SELECT FROM orders WHERE status = 'ROUTED' LIMIT 1"), what="a first order"
        )
        director = Director(here, seed=seed, turn=turn, without=_impossible_here())
        director.play(until=lambda: len(here.load.sent) >= orders * MESSAGES_PER_ORDER)
        here.load.end()
        _settle(here, patience)
        _verify(here, orders)
        _check_coverage(director)


def _impossible_here() -> set[Fault]:
    try:
        clock_library()
    except UnavailableError as missing:
        fail_where_nothing_may_be_missing("libfaketime", str(missing))
        log.warning("no worker with a wrong clock: %s", missing)
        return {worker_whose_clock_is_an_hour_off}
    return set()


def _settle(here: World, patience: float) -> None:
    began = time.monotonic()
    until = began + patience
    here.load.join(patience)
    assert not here.load.is_alive(), "the broker does not take the last message"
    # The workers start what is overdue; nobody waits for what only a person can do.
    while (unsettled := _unsettled(here)) != (0, 0, 0):
        assert time.monotonic() < until, (
            f"{unsettled} messages, orders, publications left after {patience:g} s"
        )
        here.workers.check()
        time.sleep(0.2)
    log.info("settled after %.1f s", time.monotonic() - began)
    here.workers.check()
    here.workers.stop(DRAIN_TIMEOUT + 10)


def _unsettled(here: World) -> tuple[int, int, int]:
    orders, publications = here.rows(_UNSETTLED)[0]
    # The depth leaves out what is delivered and not acknowledged; to count that takes a second.
    messages = here.system.depth(here.system.queue) or (
        0 if orders or publications else here.broker.messages(here.system.queue)
    )
    return messages, orders, publications


def _verify(here: World, orders: int) -> None:
    wait_until(lambda: here.system.depth(here.system.routed) == 0, what="all that is routed is read")
    here.downstream.end()
    executions = here.router.executions()
    with here.system.database.connect() as book:
        found = gather(
            book,
            here.cache,
            routed=here.downstream.taken,
            waiting=here.system.depth(here.system.queue),
            executions={order: counts["executions"] for order, counts in executions["orders"].items()},
        )
    wrong = findings(here.load.sent, found, router_was_well=False)
    assert len(found.orders) >= orders
    assert not wrong, "\n".join(["promises broken:", *map(str, wrong[:50])])
    # A worker that is an hour ahead must not make the cache's records fresh for an hour.
    dated = max(int(record["written_at"]) for record in found.cached.values())
    assert dated < time.time() + 60, "the cache holds records of the future"
    assert "conflict" not in executions["totals"], "a call was repeated with another body"
    log.info(
        "%d messages, %d orders: %s; %d rejected; the router was called %d times",
        len(here.load.sent),
        len(found.orders),
        here.system.statuses(),
        len(found.rejected),
        executions["totals"]["requests"],
    )


def _check_coverage(director: Director) -> None:
    possible = {fault.__name__ for lane in LANES.values() for fault in lane}
    missed = possible - set(director.played) - {fault.__name__ for fault in _impossible_here()}
    assert not missed, f"faults that were never played: {missed}"
