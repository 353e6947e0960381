"""What the commands of the runbook have in common: how they answer."""

from __future__ import annotations

import contextlib
import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError
from rich import box
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from orders import documents
from orders.stores.port import StoreUnavailable

# Piped, a line is as long as it takes.
_UNBROKEN = 10_000


class RunbookCommand(BaseCommand):
    """Tables on a terminal, plain columns when piped, `--json` for machines.

    Exit codes: 0 all is well, 1 it found something or failed (and says so on stderr), 2 misuse.
    """

    # The configuration's own; those of code nobody changes here are for `manage.py check`, and load all of it.
    requires_system_checks: tuple[str, ...] = (Tags.compatibility,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer as one line of JSON")

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with _said_once():
                return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"the order book cannot be asked: {_first_line(error)}") from error
        except StoreUnavailable as error:
            raise CommandError(
                f"{error}\nSQL serves without the store meanwhile; ask again when it answers."
            ) from error

    def show(self, *parts: RenderableType) -> None:
        """Print tables and texts, for people."""
        console = self._console()
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, str))

    def show_beside(self, *tables: Table | None) -> None:
        """Tables side by side where the terminal is wide enough, else one below the other."""
        there = [table for table in tables if table]
        if there and self.stdout.isatty():
            self.show(Columns(there))
        else:
            self.show(*there)

    def show_json(self, answer: Any) -> None:
        self.stdout.write(msgspec.json.encode(answer).decode())

    def table(self, *columns: str, title: str | None = None) -> Table:
        """An empty table; a column whose name begins with > holds numbers."""
        made = Table(title=title, title_justify="left", box=box.ROUNDED if self.stdout.isatty() else None)
        for name in columns:
            made.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left")
        return made

    def progress(self, what: str) -> Progress:
        """A bar on stderr; none where that is no terminal."""
        columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        console = Console(stderr=True)
        return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def _console(self) -> Console:
        width = None if self.stdout.isatty() else _UNBROKEN
        # The text comes from orders, routers and stores: nothing in it is markup.
        return Console(file=self.stdout, width=width, markup=False, highlight=False, emoji=False)  # type: ignore[arg-type] # it writes


def cell(value: Any) -> str:
    """A value for a table: - where there is none, times as the API has them, what cannot be seen escaped."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return documents.time_text(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _first_line(error: DatabaseError | InterfaceError) -> str:
    return str(error).strip().partition("\n")[0]


@contextlib.contextmanager
def _said_once() -> Iterator[None]:
    """A command says in words why the book could not be asked; the line of its log is for the file alone."""
    log = logging.getLogger("sql_errors")
    before, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.propagate = before
