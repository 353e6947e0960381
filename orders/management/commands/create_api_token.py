"""`manage.py create_api_token NAME --scope read`: a token for the API, shown once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from orders.api import tokens
from orders.documents import time_text
from orders.management.arguments import add_operator_arguments, duration
from orders.management.runbook import RunbookCommand, cell
from orders.operators import operator
from orders.scopes import Scope


class Command(RunbookCommand):
    help = "Make a token for the API and show it, once: only its hash is kept. On record with who and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="what it is for, e.g. desk-tool")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=list(Scope),
            type=str,
            help="what it may do; several times for several",
        )
        parser.add_argument("--expires", type=duration, default=90 * 86_400.0, help="life (default: 90d)")
        parser.add_argument(
            "--owner", help="a console user: it can do no more than they may, and ends with their account"
        )
        add_operator_arguments(parser, default_reason="create_api_token was asked for")

    def handle(
        self,
        *,
        name: str,
        scope: list[str],
        expires: float,
        owner: str | None,
        user: str | None,
        reason: str,
        **options: Any,
    ) -> None:
        try:
            token, text = tokens.create(
                name=name,
                scopes=[Scope(each) for each in scope],
                life=timedelta(seconds=expires),
                owner=_user(owner),
                actor=operator(user),
                reason=reason,
            )
        except tokens.Refused as refusal:
            raise CommandError(f"No token was made: {refusal}.") from None
        if options["json"]:
            self.show_json(
                {
                    "name": token.name,
                    "token": text,
                    "scopes": token.scopes,
                    "owner": owner,
                    "expires_at": time_text(token.expires_at),
                }
            )
        else:
            self.show(text)
            self.stderr.write(f"Expires {cell(token.expires_at)}. Keep it: it cannot be shown again.")


def _user(name: str | None) -> User | None:
    if name is None:
        return None
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"No token was made: there is no active user {name!r}.")
    return user
