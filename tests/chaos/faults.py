"""What goes wrong in a run. Each fault does its harm, yields for how many seconds it lasts, and undoes it.

Faults of one lane follow each other; the lanes run side by side, so that several neighbours may fail at once.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.chaos.world import DRAIN_TIMEOUT, World

Fault = Callable[[World, random.Random], Iterator[float]]

_POLL = 0.1  # seconds between looks at what takes its time
# RabbitMQ 3.10 writes down a new quorum queue half a second later; killed before, it never gets the queue to work
# again. Nothing a client could mend.
REGISTERED = 2


# The broker


def broker_killed(world: World, rng: random.Random) -> Iterator[float]:
    world.broker.kill()
    yield rng.uniform(0.2, 2)
    world.broker.start()
    yield from _until(world.broker.listening, what="the broker listens")


def broker_application_restarted(world: World, rng: random.Random) -> Iterator[float]:
    yield from _ctl(world, "stop_app")
    yield rng.uniform(0.2, 1)
    yield from _ctl(world, "start_app")


def connections_closed(world: World, rng: random.Random) -> Iterator[float]:
    yield from _ctl(world, "close_all_connections", "chaos")


def broker_falls_silent(world: World, rng: random.Random) -> Iterator[float]:
    world.broker.pause()
    yield rng.uniform(1, 8)
    world.broker.go_on()


def memory_alarm_and_routed_queue_deleted(world: World, rng: random.Random) -> Iterator[float]:
    """Under the alarm nothing more comes into the queue, so that it can be emptied: it takes with it what it holds."""
    yield from _ctl(world, "set_vm_memory_high_watermark", "0")
    yield rng.uniform(1, 3)
    yield from _until(lambda: _length(world) == 0, what="the routed queue is empty")
    yield from _ctl(world, "delete_queue", world.system.routed)
    yield from _ctl(world, "set_vm_memory_high_watermark", "absolute", "2GB")
    yield rng.uniform(0.5, 3)
    _declare(world)
    yield REGISTERED


# SQL


def sql_crashes(world: World, rng: random.Random) -> Iterator[float]:
    world.postgres.crash()
    yield rng.uniform(0.1, 2)
    world.postgres.start()


def sql_stands_still(world: World, rng: random.Random) -> Iterator[float]:
    world.postgres.pause()
    yield rng.uniform(1, 6)
    world.postgres.go_on()


def sql_refuses_writes(world: World, rng: random.Random) -> Iterator[float]:
    world.postgres.allow_writes(False)
    yield rng.uniform(1, 3)
    world.postgres.allow_writes(True)


# The store


def store_refuses(world: World, rng: random.Random) -> Iterator[float]:
    world.store_line.refuse()
    yield rng.uniform(1, 4)
    world.store_line.accept()


def store_hangs(world: World, rng: random.Random) -> Iterator[float]:
    world.store_line.freeze()
    yield rng.uniform(1, 4)
    world.store_line.thaw()


def store_cut_off(world: World, rng: random.Random) -> Iterator[float]:
    world.store_line.cut()
    yield 0


# The router


def router_refuses_connections(world: World, rng: random.Random) -> Iterator[float]:
    world.router_line.refuse()
    yield rng.uniform(0.5, 3)
    world.router_line.accept()


def router_hangs(world: World, rng: random.Random) -> Iterator[float]:
    yield from _dial(world, rng, "hang_rate")


def router_falls_silent(world: World, rng: random.Random) -> Iterator[float]:
    world.router_line.freeze()
    yield rng.uniform(0.5, 3)
    world.router_line.thaw()


def router_answers_garbage(world: World, rng: random.Random) -> Iterator[float]:
    yield from _dial(world, rng, "garbage_rate")


def router_drops_the_line_after_reading(world: World, rng: random.Random) -> Iterator[float]:
    yield from _dial(world, rng, "drop_rate")


def router_answers_503(world: World, rng: random.Random) -> Iterator[float]:
    yield from _dial(world, rng, "failure_rate")


def router_cut_off(world: World, rng: random.Random) -> Iterator[float]:
    for _ in range(rng.randint(2, 6)):
        world.router_line.cut()
        yield rng.uniform(0.05, 0.2)


# The registry


def registry_refuses_connections(world: World, rng: random.Random) -> Iterator[float]:
    world.registry_line.refuse()
    yield rng.uniform(2, 5)
    world.registry_line.accept()


def registry_answers_503(world: World, rng: random.Random) -> Iterator[float]:
    world.registry.turn(failure_rate=1.0)
    yield rng.uniform(2, 5)
    world.registry.turn(failure_rate=0.0)


def retry_job_beside(world: World, rng: random.Random) -> Iterator[float]:
    """No fault, but one more that claims orders; sometimes it is killed."""
    job = world.workers.retry_job()
    if rng.random() < 0.5:
        yield rng.uniform(1, 4)
        os.kill(job.pid, signal.SIGKILL)
    yield from _until(lambda: job.exit_code() is not None, what="retry_pending_routes has ended")
    assert job.exit_code() in (0, 1, -signal.SIGKILL), f"{job.log}: status {job.exit_code()}"


# The workers


def supervised_worker_killed(world: World, rng: random.Random) -> Iterator[float]:
    world.workers.kill_supervised(rng.randrange(100))
    yield 0


def worker_killed(world: World, rng: random.Random) -> Iterator[float]:
    world.workers.kill("alone")
    yield rng.uniform(0, 2)
    world.workers.start("alone")


def worker_terminated(world: World, rng: random.Random) -> Iterator[float]:
    yield from _terminated(world, "alone")


def supervisor_terminated(world: World, rng: random.Random) -> Iterator[float]:
    yield from _terminated(world, "supervised")


def supervisor_and_workers_killed(world: World, rng: random.Random) -> Iterator[float]:
    world.workers.kill("supervised")
    yield rng.uniform(0, 1)
    world.workers.start("supervised")


def supervisor_killed(world: World, rng: random.Random) -> Iterator[float]:
    orphans = world.workers.orphan()
    world.workers.start("supervised")
    yield from _until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans),
        what=f"the workers {orphans} have ended with their supervisor",
        patience=DRAIN_TIMEOUT + 10,
    )


def worker_whose_clock_is_an_hour_off(world: World, rng: random.Random) -> Iterator[float]:
    world.workers.kill("alone")
    world.workers.start("alone", clock=rng.choice(["+1h", "-1h"]))
    yield rng.uniform(4, 8)
    yield from _terminated(world, "alone")


LANES: Mapping[str, Sequence[Fault]] = {
    "broker": (
        broker_killed,
        broker_application_restarted,
        connections_closed,
        broker_falls_silent,
        memory_alarm_and_routed_queue_deleted,
    ),
    "SQL": (sql_crashes, sql_stands_still, sql_refuses_writes),
    "store": (store_refuses, store_hangs, store_cut_off),
    "router": (
        router_refuses_connections,
        router_hangs,
        router_falls_silent,
        router_answers_garbage,
        router_drops_the_line_after_reading,
        router_answers_503,
        router_cut_off,
    ),
    "registry": (registry_refuses_connections, registry_answers_503, retry_job_beside),
    "workers": (
        supervised_worker_killed,
        worker_killed,
        worker_terminated,
        supervisor_terminated,
        supervisor_and_workers_killed,
        supervisor_killed,
        worker_whose_clock_is_an_hour_off,
    ),
}


def _until(condition: Callable[[], bool], *, what: str, patience: float = 60) -> Iterator[float]:
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, f"not within {patience:g} s: {what}"
        yield _POLL


def _ctl(world: World, *arguments: str) -> Iterator[float]:
    yield from _until(world.broker.ctl(*arguments).finished, what=f"rabbitmqctl {' '.join(arguments)}")


def _dial(world: World, rng: random.Random, name: str) -> Iterator[float]:
    """Sometimes for some of the calls, sometimes for all."""
    world.router.turn(**{name: rng.choice([0.3, 1.0])})
    yield rng.uniform(0.5, 2)
    world.router.turn(**{name: 0.0})


def _terminated(world: World, name: str) -> Iterator[float]:
    yield from _until(lambda: world.workers.minds_signals(name), what=f"{name} minds signals")
    world.workers.terminate(name)
    yield from _until(
        lambda: world.workers.ended(name), what=f"{name} has stopped", patience=DRAIN_TIMEOUT + 10
    )
    world.workers.start(name)


def _length(world: World) -> int:
    return world.system.depth(world.system.routed)


def _declare(world: World) -> None:
    with world.system.channel() as channel:
        channel.queue_declare(world.system.routed, durable=True, arguments={"x-queue-type": "quorum"})
