"""All contenders in turn, round after round: what disturbs the machine for a while disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from benchmarks.order_path import books, runs
from benchmarks.order_path.contenders import FLOOR, SERVICE, SPECIFIED, SWEPT, TUNED, Contender, Setting
from benchmarks.order_path.options import Options
from benchmarks.order_path.results import Results
from benchmarks.order_path.running import Consumers, running
from benchmarks.order_path.stack import Stack

_MEMORY_STEPS = 20


class Step(NamedTuple):
    label: str
    take: Callable[[], None]


class Rounds:
    """Fills `results`, step by step."""

    def __init__(self, stack: Stack, options: Options, results: Results) -> None:
        self._stack = stack
        self._options = options
        self._results = results
        self._behind: dict[str, int] = {}  # contender → the rate that was too much for it

    def steps(self) -> Iterator[Step]:
        of_parts = {
            "throughput": self._in_turn,
            "latency": self._in_turn,
            "scaling": self._scaling,
            "sweep": self._sweep,
            "memory": self._memory,
            "book": self._book,
        }
        for steps in dict.fromkeys(of_parts[part] for part in self._options.parts):
            yield from steps()

    def _in_turn(self) -> Iterator[Step]:
        for number in range(1, self._options.rounds + 1):
            for contender in self._options.contenders:
                label = f"round {number}: {contender.name}"
                if contender.batches and "throughput" in self._options.parts:
                    yield Step(
                        f"{label}, batches of {SPECIFIED.batch_size}",
                        partial(self._run, contender, SPECIFIED),
                    )
                batches = f", batches of {TUNED.batch_size}" if contender.batches else ""
                yield Step(label + batches, partial(self._run_and_time, contender))

    def _scaling(self) -> Iterator[Step]:
        """Of the service, beside the floor: what the stack's own CPU leaves."""
        counts = (2,) if "throughput" in self._options.parts else (1, 2)
        contenders = [each for each in self._options.contenders if each in (SERVICE, FLOOR)]
        for number in range(1, self._options.rounds + 1):
            for contender in contenders:
                for count in counts:
                    setting = TUNED._replace(processes=count)
                    yield Step(
                        f"round {number}: {contender.name}, processes: {count}",
                        partial(self._run, contender, setting),
                    )

    def _sweep(self) -> Iterator[Step]:
        for number in range(1, self._options.rounds + 1):
            for setting in SWEPT:
                label = (
                    f"round {number}: batches of {setting.batch_size}, {setting.in_flight} calls in flight"
                )
                yield Step(label, partial(self._try, setting))

    def _memory(self) -> Iterator[Step]:
        yield Step(f"{self._options.history:,} orders", self._grow)

    def _book(self) -> Iterator[Step]:
        size = self._options.book
        yield Step(f"filling a book with {size:,} orders", partial(books.create_big, self._stack, size))
        for number in range(1, self._options.rounds + 1):
            yield Step(f"round {number}: an empty book", partial(self._run, SERVICE, TUNED))
            yield Step(
                f"round {number}: {size:,} orders in the book", partial(self._run, SERVICE, TUNED, book=size)
            )

    def _try(self, setting: Setting) -> None:
        with running(self._stack, SERVICE, setting) as consumers:
            self._results.sweep.append(runs.throughput(consumers, self._options.orders))

    def _run(self, contender: Contender, setting: Setting, *, book: int = 0) -> None:
        with running(self._stack, contender, setting, database=books.BIG if book else None) as consumers:
            self._throughput(consumers, book=book)

    def _run_and_time(self, contender: Contender) -> None:
        with running(self._stack, contender, TUNED) as consumers:
            if "throughput" in self._options.parts:
                self._throughput(consumers)
            if "latency" in self._options.parts:
                self._latency(consumers)

    def _throughput(self, consumers: Consumers, *, book: int = 0) -> None:
        orders = max(1, round(self._options.orders * consumers.contender.share))
        self._results.throughput.append(runs.throughput(consumers, orders, book=book))

    def _latency(self, consumers: Consumers) -> None:
        name = consumers.contender.name
        self._results.latency.append(runs.latency(consumers, rate=0, orders=self._options.lone))
        for rate in self._options.rates:
            if rate >= self._behind.get(name, rate + 1):
                break
            timed = runs.latency(consumers, rate=rate, orders=round(rate * self._options.seconds))
            self._results.latency.append(timed)
            if not timed.kept_up:
                self._behind[name] = rate

    def _grow(self) -> None:
        orders = max(1, self._options.history // _MEMORY_STEPS)
        with running(self._stack, SERVICE, TUNED) as consumers:
            self._results.memory.append(runs.memory(consumers, orders=orders, times=_MEMORY_STEPS))
