"""`manage.py preflight`: is everything there that this deployment needs?"""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from order_entry_project.config import ConfigError, load
from order_entry_project.preflight import configuration
from order_entry_project.preflight.finding import Finding, Level, worst
from order_entry_project.preflight.run import run
from orders.management.arguments import duration
from orders.management.runbook import RunbookCommand, cell

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "bold red"}


class Command(RunbookCommand):
    help = "Check everything this deployment needs before it takes orders, and say what to do about what is wrong."
    # It reports Django's checks itself, among the others.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
        parser.add_argument(
            "--timeout", type=duration, default=10.0, help="longest wait for all checks (%(default)ss)"
        )

    def handle(self, *, strict: bool, timeout: float, **options: Any) -> None:
        findings = _findings(timeout)
        verdict = worst(finding for _, finding in findings)
        if options["json"]:
            self.show_json(
                {
                    "status": verdict,
                    "findings": [{"check": check, **asdict(finding)} for check, finding in findings],
                }
            )
        else:
            self.show(self._table(findings))
        if verdict is Level.FAILED or (strict and verdict is Level.WARNING):
            counts = [sum(finding.level is level for _, finding in findings) for level in _STYLES]
            raise CommandError("{} ok, {} warnings, {} failed.".format(*counts))

    def _table(self, findings: Sequence[tuple[str, Finding]]) -> Table:
        table = self.table("", "Check", "Key", "Finding")
        before = ""
        for check, finding in findings:
            level = Text(finding.level, style=_STYLES[finding.level])
            table.add_row(level, "" if check == before else check, finding.key, _words(finding))
            before = check
        return table


def _findings(timeout: float) -> list[tuple[str, Finding]]:
    try:
        load()
    except ConfigError as error:
        return [("configuration", configuration.unusable(error))]
    # What is checked depends on the configuration, and can be loaded only with one.
    from order_entry_project.preflight.checks import checks

    # What is asked says in the log, too, what is wrong with it: once is enough.
    logging.disable(logging.ERROR)
    try:
        return [(check.name, finding) for check, finding in run(checks(), limit=timeout)]
    finally:
        logging.disable(logging.NOTSET)


def _words(finding: Finding) -> Text:
    words = Text("\n".join(map(cell, finding.found.splitlines())))
    if finding.level is not Level.OK:
        words.append(f"\nexpected: {cell(finding.expected)}", style="dim")
        words.append(f"\nto do: {cell(finding.advice)}", style=_STYLES[finding.level])
    return words
