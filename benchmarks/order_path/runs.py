"""One run of one contender: orders that wait, orders at a steady rate, or one at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import count

from benchmarks.order_path import books, load, measuring
from benchmarks.order_path.results import Latency, Memory, Throughput
from benchmarks.order_path.running import Consumers
from benchmarks.order_path.stack import MIGRATED, ROUTED

_TRAILING = 0.5  # seconds in which a contender ends what it has put off, such as marks of its outbox
_numbers = count(1)


def throughput(consumers: Consumers, orders: int, *, book: int = 0) -> Throughput:
    """Time and CPU of `orders` that all wait in the queue when it begins; nobody sends meanwhile.

    `book`: how many orders were in the book before.
    """
    stack, prefix = consumers.stack, _prefix()
    memory = consumers.resident_mib()
    with stack.connect(MIGRATED) as sql:
        with consumers.held():
            load.fill(stack, prefix, orders)
            sql.execute("CHECKPOINT")
            statements = books.statements(sql, consumers.database)
            before = _cpu_seconds(consumers)
            began = time.monotonic()
        seconds = consumers.await_routed(orders) - began
        time.sleep(_TRAILING)
        after = _cpu_seconds(consumers)
        statements = books.statements(sql, consumers.database) - statements
    _check(consumers, prefix, orders)
    return Throughput(
        contender=consumers.contender.name,
        batch_size=consumers.setting.batch_size if consumers.contender.batches else None,
        in_flight=consumers.setting.in_flight,
        processes=consumers.setting.processes,
        book=book,
        orders=orders,
        seconds=seconds,
        cpu_us={part: (after[part] - used) / orders * 1e6 for part, used in before.items()},
        statements=statements / orders,
        start_mib=memory,
        end_mib=consumers.resident_mib(),
    )


def latency(consumers: Consumers, *, rate: int, orders: int) -> Latency:
    """Orders at `rate` a second; 0: each alone."""
    prefix = _prefix()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.order_path.timing",
            consumers.stack.broker.url,
            prefix,
            str(rate),
            str(orders),
        ],
        env=consumers.stack.env(consumers.database),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Latency(
        contender=consumers.contender.name, rate=rate, orders=orders, milliseconds=json.loads(done.stdout)
    )


def memory(consumers: Consumers, *, orders: int, times: int) -> Memory:
    """Memory after every `orders` of `times` as many, which come as fast as they are taken."""
    mib = []
    for _ in range(times):
        load.fill(consumers.stack, _prefix(), orders)
        consumers.await_routed(orders)
        with consumers.stack.channel() as channel:
            channel.queue_purge(ROUTED)
        mib.append(round(consumers.resident_mib(), 1))
    return Memory(contender=consumers.contender.name, orders=orders, mib=mib)


def _cpu_seconds(consumers: Consumers) -> dict[str, float]:
    used = {part: measuring.cpu_seconds(pid) for part, pid in consumers.stack.components.items()}
    return {"consumer": consumers.cpu_seconds(), **used}


def _check(consumers: Consumers, prefix: str, orders: int) -> None:
    """A figure of work that was not done is none."""
    with consumers.stack.connect(consumers.database) as connection:
        routed = books.routed(connection, prefix)
    with consumers.stack.channel() as channel:
        published = load.depth(channel, ROUTED)
        channel.queue_purge(ROUTED)
    if routed != orders or published < orders:
        raise RuntimeError(
            f"{consumers.contender.name}: of {orders} orders {routed} are routed in the book, {published} published"
        )


def _prefix() -> str:
    """Of the order ids of one run."""
    return f"run{next(_numbers)}.{time.time_ns():x}"
