"""`manage.py clear_idempotency ORDER_ID --yes`: makes the stores forget an order."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from consumers import clearing
from consumers.clearing import Known
from orders.management.arguments import add_operator_arguments, order_id
from orders.management.runbook import RunbookCommand
from orders.operators import operator


class Command(RunbookCommand):
    help = (
        "Remove an order's idempotency mark and its status record from the stores; on record with who and why. "
        "SQL still refuses a second entry of the order. Without --yes: say what would be removed and exit 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("order_id", type=order_id)
        parser.add_argument("--yes", action="store_true", help="do it")
        add_operator_arguments(parser, default_reason="clear_idempotency was asked for")

    def handle(self, *, order_id: str, yes: bool, user: str | None, reason: str, **options: Any) -> None:
        found = (
            clearing.clear(order_id, actor=operator(user), reason=reason) if yes else clearing.known(order_id)
        )
        if options["json"]:
            self.show_json({"orderId": order_id, "removed": yes, **asdict(found)})
        else:
            self.show("Removed:" if yes else "Would remove:", *_told(found), _in_sql(order_id, found))
        if not yes:
            raise CommandError("Nothing was changed: give --yes to do it.")


def _told(found: Known) -> list[str]:
    return [
        f"  idempotency mark: {found.mark or 'there is none'}",
        f"  status record: {found.status_record or 'there is none'}",
    ]


def _in_sql(order_id: str, found: Known) -> str:
    if found.status is None:
        return f"SQL has no order {order_id}: the next message that brings it enters it."
    return (
        f"SQL has {order_id} ({found.status}) and still refuses a second entry: a message that brings it again is "
        "acknowledged and not entered. Its next reading fills the cache anew."
    )
