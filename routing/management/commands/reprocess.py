"""`manage.py reprocess ORDER_ID`: has an order routed again from where it is."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from orders import halts
from orders.management.arguments import add_operator_arguments, order_id
from orders.management.runbook import RunbookCommand, cell
from orders.models import Order
from orders.operators import operator
from routing import manual
from routing.operations import Refused


class Command(RunbookCommand):
    help = (
        "Have a parked order routed by the machine at once, its review mark cleared; on record with who and "
        "why. What is routed, executed or canceled stays so: the command says why and exits 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("order_id", type=order_id)
        add_operator_arguments(parser, default_reason="reprocess was asked for")

    def handle(self, *, order_id: str, user: str | None, reason: str, **options: Any) -> None:
        actor = operator(user)
        try:
            manual.retry_now(order_id, reason=reason, actor=actor)
        except Order.DoesNotExist:
            raise CommandError(f"There is no order {order_id} in SQL.") from None
        except Refused as refusal:
            raise CommandError(f"{refusal}.") from None
        halted = [halt.reason for halt in halts.holding(Order.objects.get(pk=order_id))]
        if options["json"]:
            self.show_json({"orderId": order_id, "actor": actor, "reason": reason, "halted": halted})
        elif halted:
            self.show(
                f"{order_id} is due now, and waits for the end of a halt: {'; '.join(map(cell, halted))}"
            )
        else:
            self.show(
                f"{order_id} is due now. A running consumer takes it within a second; without one, "
                "retry_pending_routes does."
            )
