"""A contender's running processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import redis

from benchmarks.order_path import books, load, measuring
from benchmarks.order_path.contenders import Contender, Setting
from benchmarks.order_path.stack import QUEUE, ROUTED, Stack
from order_entry_project.embedded.processes import Child

_PATIENCE = 60.0  # seconds for a start
_STALL = 30.0  # seconds without progress
_WARM_UP = 400  # orders
_NEARLY = 500  # orders that are left when the end is near


@dataclass
class Consumers:
    """`children`: what was started, each with its own descendants."""

    stack: Stack
    contender: Contender
    setting: Setting
    database: str
    children: list[Child]

    def cpu_seconds(self) -> float:
        return sum(measuring.cpu_seconds(child.pid) for child in self.children)

    def resident_mib(self) -> float:
        return sum(measuring.resident_mib(child.pid) for child in self.children)

    @contextmanager
    def held(self) -> Iterator[None]:
        """They stand still, all of them, for the length of the block."""
        held = [pid for child in self.children for pid in measuring.tree(child.pid)]
        try:
            for pid in held:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in held:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def await_routed(self, orders: int) -> float:
        """The monotonic time when there were so many routed messages. Raises `TimeoutError` when no more come."""
        with self.stack.channel() as channel:
            before, since = 0, time.monotonic()
            while True:
                now, routed = time.monotonic(), load.depth(channel, ROUTED)
                if routed >= orders:
                    return now
                if routed != before:
                    before, since = routed, now
                self.check()
                if now - since > _STALL:
                    raise TimeoutError(
                        f"{self.contender.name}: {routed} of {orders} orders are through, and no more come; "
                        f"see {self.children[0].log}"
                    )
                # Often enough for the time to be right, and not so often that asking costs anything.
                time.sleep(0.01 if orders - routed < _NEARLY else 0.05)

    def check(self) -> None:
        """Raises with the end of its log where one has ended."""
        for child in self.children:
            child.check()


@contextmanager
def running(
    stack: Stack, contender: Contender, setting: Setting, *, database: str | None = None
) -> Iterator[Consumers]:
    """Its processes, on an empty book unless a `database` is named, warm and waiting for orders."""
    name = database or contender.database
    if database is None:
        books.empty(stack, name)
    redis.Redis.from_url(stack.redis).flushall()
    _await_consumers(stack, 0)
    _purge(stack)
    start = contender.start(stack, setting, name)
    with ExitStack() as running_:
        children = [
            running_.enter_context(
                Child.running(
                    start.argv,
                    name=contender.name,
                    log=stack.folder / "logs" / f"{contender.name.replace(' ', '-')}-{number}.out",
                    env=start.env,
                )
            )
            for number in range(1 if start.brings_all else setting.processes)
        ]
        consumers = Consumers(stack, contender, setting, name, children)
        _await_consumers(stack, setting.processes, check=consumers.check)
        load.fill(stack, f"warm{time.monotonic_ns():x}", _WARM_UP)
        consumers.await_routed(_WARM_UP)
        _purge(stack)
        yield consumers


def _purge(stack: Stack) -> None:
    with stack.channel() as channel:
        for queue in (QUEUE, ROUTED):
            channel.queue_purge(queue)


def _await_consumers(stack: Stack, count: int, *, check: Callable[[], object] = lambda: None) -> None:
    until = time.monotonic() + _PATIENCE
    with stack.channel() as channel:
        while (found := load.consumers(channel, QUEUE)) != count:
            check()
            if time.monotonic() > until:
                raise TimeoutError(f"{found} consumers of {QUEUE} after {_PATIENCE:.0f} s; expected {count}")
            time.sleep(0.05)
