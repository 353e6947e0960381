"""`manage.py revoke_api_token NAME`: ends a token of the API at once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from orders.api import tokens
from orders.management.arguments import add_operator_arguments
from orders.management.runbook import RunbookCommand
from orders.models import ApiToken
from orders.operators import operator


class Command(RunbookCommand):
    help = "Revoke a token of the API: the next request that bears it is refused. On record with who and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        add_operator_arguments(parser, default_reason="revoke_api_token was asked for")

    def handle(self, *, name: str, user: str | None, reason: str, **options: Any) -> None:
        token = ApiToken.objects.filter(name=name, revoked_at__isnull=True).first()
        if token is None or not tokens.revoke(token.pk, actor=operator(user), reason=reason):
            raise CommandError(f"There is no token {name!r} that is not revoked; see list_api_tokens --all.")
        if options["json"]:
            self.show_json({"name": name, "prefix": token.prefix, "revoked": True})
        else:
            self.show(f"{token} is revoked.")
