"""`manage.py replay_rejected`: sends rejected messages into their queues again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from consumers import rejected
from consumers.models import Reason
from consumers.rejected import Progress, Refused, Selection
from consumers.replay import replay
from orders.management.arguments import add_operator_arguments, count
from orders.management.runbook import RunbookCommand, cell
from orders.operators import operator

_MOST_SHOWN = 20


class Command(RunbookCommand):
    help = (
        "Send rejected messages that wait for a person into the queues they came from, each as it came; on record "
        "with who and why. Name which: --id, --rejected-for, --queue, --fault, or --all. With --dry-run: list them by "
        "group."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        which = parser.add_argument_group("which")
        which.add_argument(
            "--id", type=count(1, 999_999_999), action="append", help="this one; may be repeated"
        )
        which.add_argument("--rejected-for", choices=Reason.values, help="those of one reason")
        which.add_argument("--queue", help="those of one queue")
        which.add_argument("--fault", help="those with the same field at fault, as price")
        which.add_argument("--all", action="store_true", help="all that wait")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
        add_operator_arguments(parser, default_reason="replay_rejected was asked for")

    def handle(self, **options: Any) -> None:
        selection = _selection(options)
        if options["dry_run"]:
            self._tell_what_waits(selection, as_json=options["json"])
            return
        progress = self._replay(selection, reason=options["reason"], actor=operator(options["user"]))
        self._tell(progress, as_json=options["json"])
        if progress.failures:
            raise CommandError(f"{len(progress.failures):,} messages were not sent and still wait.")

    def _replay(self, selection: Selection, *, reason: str, actor: str) -> Progress:
        progress = Progress(until=timezone.now())
        decide = replay(reason=reason, actor=actor)
        with self.progress("Sending") as bar:
            task = bar.add_task("", total=selection.count())
            while not progress.finished:
                try:
                    rejected.step(selection, progress, decide)
                except Refused as refusal:
                    raise CommandError(f"{refusal} ({progress.done:,} messages are sent)") from None
                bar.update(task, completed=progress.done)
        return progress

    def _tell(self, progress: Progress, *, as_json: bool) -> None:
        if as_json:
            self.show_json({"replayed": progress.done, "failed": progress.failures})
            return
        self.show(f"{progress.done:,} messages are in their queues again.")
        for failure in progress.failures[:_MOST_SHOWN]:
            self.stderr.write(f"  {failure.id} {cell(failure.message_id)}: {failure.why}")

    def _tell_what_waits(self, selection: Selection, *, as_json: bool) -> None:
        found = rejected.groups(selection)
        if as_json:
            self.show_json({"waiting": sum(group.count for group in found), "groups": found})
            return
        table = self.table(">messages", "reason", "queue", "at fault", "oldest", "newest")
        for group in found:
            table.add_row(
                *map(
                    cell,
                    (group.counted, group.reason, group.queue, group.fault, group.oldest, group.newest),
                )
            )
        self.show(table if found else "No such message waits.")


def _selection(options: dict[str, Any]) -> Selection:
    ids = tuple(options["id"]) if options["id"] else None
    selection = Selection(ids, options["rejected_for"], options["queue"], options["fault"])
    if options["all"] == (selection != Selection()):
        raise CommandError(
            "Name which messages: --id, --rejected-for, --queue, --fault, or --all alone.", returncode=2
        )
    return selection
