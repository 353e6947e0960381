"""`manage.py version`, and `manage.py --version`: what runs here."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from order_entry_project import build


class Command(BaseCommand):
    help = "Say the version of the service, its commit if known, and the versions of Python and Django."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer as one line of JSON")

    def handle(self, **options: Any) -> None:
        facts = build.facts()
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            "order-entry {version} (commit {commit}, Python {python}, Django {django})".format(**facts)
        )
