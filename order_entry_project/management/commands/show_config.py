"""`manage.py show_config`: the configuration in force."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import groupby
from typing import Any

import yaml
from django.conf import settings
from rich.text import Text

from order_entry_project.config import Config
from order_entry_project.effective import Entry, entries
from orders.management.runbook import RunbookCommand

_WIDTH = 48  # columns before the remark on where a value comes from


class Command(RunbookCommand):
    help = (
        "Show the configuration in force as YAML, each key with where it comes from; secrets are masked. "
        "As JSON: each section's keys with value and source."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "section", nargs="?", choices=Config.model_fields, metavar="SECTION", help="only this one"
        )

    def handle(self, *, section: str | None, **options: Any) -> None:
        found = [entry for entry in entries(settings.CONFIG) if section in (None, entry.section)]
        sections = {name: list(held) for name, held in groupby(found, key=lambda entry: entry.section)}
        if options["json"]:
            self.show_json(
                {
                    name: {entry.key: {"value": entry.value, "source": entry.source} for entry in held}
                    for name, held in sections.items()
                }
            )
            return
        for name, held in sections.items():
            self.show(Text(f"{name}:", style="bold"), *map(_line, held))


def _line(entry: Entry) -> Text:
    """YAML of one line, so that the whole can be read back."""
    value = yaml.safe_dump(
        {entry.key: entry.value}, default_flow_style=True, width=100_000, allow_unicode=True
    )
    said = f"  {value.strip()[1:-1]}"
    line = Text(f"{said:<{_WIDTH}}  # {entry.source}", no_wrap=True, overflow="ignore")
    line.stylize("dim" if entry.source == "default" else "cyan", len(said))
    return line
