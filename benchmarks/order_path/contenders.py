"""Who takes part, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import NamedTuple

from benchmarks.order_path import books
from benchmarks.order_path.stack import QUEUE, ROUTED, Stack
from benchmarks.order_path.wiring import Wiring
from order_entry_project.config import BASE_DIR


class Setting(NamedTuple):
    """`batch_size` counts orders of one SQL statement, `in_flight` calls of the router at once, of each process."""

    batch_size: int
    in_flight: int
    processes: int = 1


SPECIFIED = Setting(batch_size=10, in_flight=64)
TUNED = Setting(batch_size=200, in_flight=256)
# What `--only sweep` tries, to find the tuned one.
SWEPT = [Setting(size, in_flight) for size in (10, 50, 200, 500) for in_flight in (64, 128, 256)]


@dataclass(frozen=True)
class Start:
    """`brings_all`: one start brings up all processes that are wanted; else there is a start for each."""

    argv: list[str]
    env: Mapping[str, str]
    brings_all: bool = False


@dataclass(frozen=True)
class Contender:
    """`batches`: whether a batch size means anything to it; `share`: of a run's orders, for one that is slow.

    `start` is given the name of the database to use, `database` unless a run says otherwise.
    """

    name: str
    database: str
    start: Callable[[Stack, Setting, str], Start]
    batches: bool = True
    share: float = 1.0
    available: Callable[[], bool] = lambda: True


def _service(stack: Stack, setting: Setting, database: str) -> Start:
    settings = {
        "ORDER_ENTRY__MQ__BATCH_SIZE": str(setting.batch_size),
        "ORDER_ENTRY__ROUTER__IN_FLIGHT": str(setting.in_flight),
    }
    argv = [
        sys.executable,
        str(BASE_DIR / "manage.py"),
        "consume_orders",
        "--processes",
        str(setting.processes),
    ]
    return Start(argv, stack.env(database) | settings, brings_all=True)


def _module(name: str) -> Callable[[Stack, Setting, str], Start]:
    def start(stack: Stack, setting: Setting, database: str) -> Start:
        wiring = Wiring(
            sql=stack.sql(database),
            broker=stack.broker.url,
            redis=stack.redis,
            router=stack.router,
            queue=QUEUE,
            routed=ROUTED,
            batch_size=setting.batch_size,
            in_flight=setting.in_flight,
        )
        return Start(
            [sys.executable, "-m", f"benchmarks.order_path.{name}"], stack.env(database) | wiring.env()
        )

    return start


def _service_over_amqp10(stack: Stack, setting: Setting, database: str) -> Start:
    start = _service(stack, setting, database)
    url = stack.broker.url.replace("amqp://", "amqp10://")
    return replace(start, env={**start.env, "ORDER_ENTRY__MQ__BROKER_URL": url})


SERVICE = Contender("service", books.SERVICE, _service)
FLOOR = Contender("floor", books.BARE, _module("floor"))
FASTSTREAM = Contender("FastStream", books.BARE, _module("faststream_service"), batches=False, share=0.15)
AMQP10 = Contender(
    "service over AMQP 1.0",
    books.SERVICE,
    _service_over_amqp10,
    available=lambda: find_spec("proton") is not None,
)
CONTENDERS = [SERVICE, FLOOR, FASTSTREAM, AMQP10]
