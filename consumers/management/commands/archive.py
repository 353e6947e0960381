"""`manage.py archive`: what has been kept long enough goes from the tables into a compressed file."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from consumers import archive
from orders import audit
from orders.management.arguments import add_operator_arguments, duration, moment
from orders.management.runbook import RunbookCommand
from orders.operators import operator

_KINDS = {"rejected": archive.REJECTED, "router-answers": archive.ROUTER_ANSWERS}


class Command(RunbookCommand):
    help = (
        "Move what is old into a file of JSON lines, compressed by gzip: rejected messages that were replayed or "
        "discarded, or what routers said in answers to orders that are routed. Orders and events are never touched. "
        "It may run beside everything else, and may be stopped and given again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("what", choices=_KINDS)
        parser.add_argument(
            "--older-than", type=moment, required=True, metavar="90d", help="since it was decided"
        )
        parser.add_argument("--to", type=_folder, help="an existing folder, in which it makes a new file")
        parser.add_argument(
            "--undecided", action="store_true", help="rejected messages that still wait and are as old, too"
        )
        parser.add_argument(
            "--pause", type=duration, default=0.05, help="between two batches, 50ms unless given"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
        add_operator_arguments(parser, default_reason="archive was asked for")

    def handle(self, **options: Any) -> None:
        kind = _kind(options)
        if options["dry_run"]:
            self._tell(archive.count(kind, options["older_than"]), None, as_json=options["json"])
            return
        if options["to"] is None:
            raise CommandError("Name the folder: --to, or ask with --dry-run.", returncode=2)
        if not archive.permitted(kind):
            raise CommandError(
                f"This role may not {kind.right} {kind.table}: log in as the one that owns the tables."
            )
        self._archive(kind, options)

    def _archive(self, kind: archive.Kind, options: dict[str, Any]) -> None:
        name = f"{options['what']}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl.gz"
        path = options["to"] / name
        moved = 0
        try:
            with archive.new_file(options["to"], name) as file:
                self._record(options, path)
                for step in self._steps(archive.archive(kind, options["older_than"], file)):
                    moved += step.rows
                    if step.rows:
                        time.sleep(options["pause"])
        except OSError as error:
            raise CommandError(
                f"{path}: {error.strerror}. {moved:,} rows are in it and no longer in {kind.table}; the others are"
                " where they were."
            ) from None
        if not moved:
            path.unlink()
        self._tell(moved, path if moved else None, as_json=options["json"])

    def _steps(self, steps: Iterable[archive.Step]) -> Iterator[archive.Step]:
        with self.progress("Archiving, pages") as bar:
            task = bar.add_task("", total=None)
            for step in steps:
                bar.update(task, completed=step.pages, total=step.of)
                yield step

    def _record(self, options: dict[str, Any], path: Path) -> None:
        detail = {
            "reason": options["reason"],
            "before": options["older_than"].isoformat(),
            "undecided": options["undecided"],
        }
        audit.record(
            actor=operator(options["user"]),
            action=f"archive.{options['what']}",
            subject=path.name,
            detail=detail,
        )

    def _tell(self, rows: int, path: Path | None, *, as_json: bool) -> None:
        if as_json:
            self.show_json({"rows": rows, "file": str(path) if path else None})
        elif path:
            self.show(f"{rows:,} rows are in {path}, and no longer in the database.")
        else:
            self.show(f"{rows:,} rows are as old." if rows else "Nothing is as old.")


def _kind(options: dict[str, Any]) -> archive.Kind:
    if not options["undecided"]:
        return _KINDS[options["what"]]
    if options["what"] != "rejected":
        raise CommandError("--undecided goes with rejected.", returncode=2)
    return archive.UNDECIDED


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise ArgumentTypeError(f"expected an existing folder, got {text!r}")
    return path
