"""`manage.py list_api_tokens`: who can use the API without a person."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from orders.api import tokens
from orders.documents import time_text
from orders.management.runbook import RunbookCommand, cell
from orders.models import ApiToken


class Command(RunbookCommand):
    help = "List the tokens of the API that live; never the tokens themselves, which nobody knows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--all", action="store_true", help="also those that are dead")

    def handle(self, **options: Any) -> None:
        now = datetime.now(UTC)
        found = [
            (token, state)
            for token in ApiToken.objects.select_related("owner")
            if (state := tokens.state(token, now)) is tokens.State.LIVING or options["all"]
        ]
        if options["json"]:
            self.show_json([_document(token, state) for token, state in found])
        elif not found:
            self.show("There are none.")
        else:
            table = self.table("Name", "Prefix", "Scopes", "Owner", "State", "Expires", "Last used")
            for token, state in found:
                table.add_row(
                    token.name,
                    token.prefix,
                    " ".join(token.scopes),
                    cell(token.owner and token.owner.get_username()),
                    state,
                    cell(token.expires_at),
                    cell(token.last_used_at),
                )
            self.show(table)


def _document(token: ApiToken, state: str) -> dict[str, Any]:
    return {
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "owner": token.owner and token.owner.get_username(),
        "state": state,
        "expires_at": time_text(token.expires_at),
        "last_used_at": token.last_used_at and time_text(token.last_used_at),
    }
