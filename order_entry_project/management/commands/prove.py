"""`manage.py prove`: workers killed at every step, and whether the promises were kept."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from pika.exceptions import AMQPError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from consumers.pipeline import STEPS
from order_entry_project import config
from order_entry_project.embedded.processes import EmbeddedError
from order_entry_project.embedded.signals import stopping_on_signals
from order_entry_project.proof import ledger
from order_entry_project.proof.crash import Case, run_cases
from order_entry_project.proof.ground import Ground, NoGround, configured_ground, private_ground
from orders.stores.port import StoreUnavailable

_PUBLISHING = ("publish", "confirm")
_SINGLE = "a single order"
_FOUND, _MISUSED = 1, 2


class Command(BaseCommand):
    help = (
        "Kill a worker (SIGKILL) right after each step of an order's way, for a single order and for a batch, let "
        "another one take over, and compare what was published into the queue with all that is left behind. Runs on "
        "the configured servers, or without any on an embedded stack, with databases, queues and a simulated router "
        "of its own, all of which it removes."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--crash-at",
            choices=[*STEPS, "all"],
            default="all",
            metavar="STEP",
            help=f"{', '.join(STEPS)} or all",
        )
        parser.add_argument(
            "--orders", type=int, default=50, help="messages of a batch (default: %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument(
            "--yes", action="store_true", help="do it on servers that are not this checkout's"
        )

    def handle(self, *, crash_at: str, orders: int, yes: bool, **options: Any) -> None:
        if orders < ledger.SMALLEST_BATCH:
            raise CommandError(
                f"--orders: expected {ledger.SMALLEST_BATCH} or more, got {orders}", returncode=_MISUSED
            )
        steps = _steps(crash_at)
        ground = _ground(yes=yes)
        console = Console(stderr=options["json"])
        try:
            with stopping_on_signals():
                cases = _prove(console, ground, steps, orders)
        except (NoGround, EmbeddedError) as error:
            raise CommandError(str(error), returncode=_MISUSED) from None
        except AMQPError as error:
            raise CommandError(f"the broker: {error!r}", returncode=_MISUSED) from None
        except StoreUnavailable as error:
            raise CommandError(f"the status cache: {error}", returncode=_MISUSED) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(cases, orders)))
        else:
            console.print(_table(cases, orders))
        if any(case.findings for case in cases):
            raise CommandError("\n".join(_sentences(cases)), returncode=_FOUND)


def _steps(crash_at: str) -> list[str]:
    """Raises `CommandError` for a step that no worker can pass."""
    publishes = settings.CONFIG.mq.producer_queue is not None
    if crash_at == "all":
        return [step for step in STEPS if publishes or step not in _PUBLISHING]
    if crash_at in _PUBLISHING and not publishes:
        raise CommandError(
            f"--crash-at {crash_at}: nothing is published, mq.producer_queue is not set", returncode=_MISUSED
        )
    return [crash_at]


def _ground(*, yes: bool) -> Callable[[Callable[[str], None]], AbstractContextManager[Ground]]:
    """Raises `CommandError` where a person should say so first."""
    if config.names_nothing():
        return private_ground
    if settings.CONFIG.mq.broker_url.startswith("amqp10"):
        raise CommandError(
            "mq.broker_url: a proof declares queues of its own, which AMQP 1.0 cannot: prove with amqp:// or the "
            "embedded queue",
            returncode=_MISUSED,
        )
    if yes or config.is_embedded_stack():
        return configured_ground
    database = settings.CONFIG.database
    raise CommandError(
        f"This makes databases order_entry_proof_… on {database.sql_host} and, on an AMQP broker, queues PROVE.… , "
        "runs and kills workers on them, and removes them at the end. The router is a simulated one; orders and "
        "queues that are there are not touched. With --yes it is done.",
        returncode=_MISUSED,
    )


def _prove(
    console: Console,
    open_ground: Callable[[Callable[[str], None]], AbstractContextManager[Ground]],
    steps: Iterable[str],
    orders: int,
) -> list[Case]:
    cases = [
        case
        for step in steps
        for case in (
            Case(step, _SINGLE, ledger.single),
            Case(step, _batch(orders), lambda prefix: ledger.mixed(orders, prefix)),
        )
    ]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        with open_ground(lambda step: progress.update(bar, description=step)) as ground:
            progress.update(bar, description="Killing workers", total=len(cases))
            # Two for each processor: half of them wait for what a dead one held.
            for _ in run_cases(ground, cases, at_once=2 * (os.cpu_count() or 1)):
                progress.advance(bar)
    return cases


def _batch(orders: int) -> str:
    return f"a batch of {orders}"


def _table(cases: list[Case], orders: int) -> Table:
    verdicts = {(case.step, case.killed): case.findings for case in cases}
    table = Table(title="Workers killed, and what was found after another one took over")
    for heading in ("killed at", _SINGLE, _batch(orders)):
        table.add_column(heading)
    for step in dict.fromkeys(case.step for case in cases):
        table.add_row(step, *(_verdict(verdicts[step, killed]) for killed in (_SINGLE, _batch(orders))))
    return table


def _verdict(findings: list[str]) -> str:
    return f"[bold red]{len(findings)} findings[/]" if findings else "[green]all promises kept[/]"


def _sentences(cases: list[Case]) -> list[str]:
    return [
        f"Killed at {case.step} over {case.killed}: {finding}" for case in cases for finding in case.findings
    ]


def _as_json(cases: list[Case], orders: int) -> dict[str, Any]:
    return {
        "orders": orders,
        "findings": sum(len(case.findings) for case in cases),
        "cases": [{"step": case.step, "killed": case.killed, "findings": case.findings} for case in cases],
    }
