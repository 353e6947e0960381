"""`manage.py export_order ORDER_ID`: an order's evidence, to be handed on and checked without this service."""

from __future__ import annotations

import hashlib
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from consumers.bundle import bundle
from orders import audit, evidence
from orders.management.arguments import add_operator_arguments, order_id
from orders.management.runbook import RunbookCommand
from orders.models import Order
from orders.operators import operator

_CHECKER = "check_evidence.py"


class Command(RunbookCommand):
    help = (
        "Write all that is on record of an order into a file, with its hashes and the anchors over them, and beside it "
        f"{_CHECKER}, which checks it with Python alone. On record with who and why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("order_id", type=order_id)
        parser.add_argument("--output", type=Path, metavar="FILE", help="default: ORDER_ID.evidence.json")
        add_operator_arguments(parser, default_reason="export_order was asked for")

    def handle(
        self, *, order_id: str, output: Path | None, user: str | None, reason: str, **options: Any
    ) -> None:
        path = output or Path(f"{order_id}.evidence.json")
        try:
            held = bundle(order_id)
        except Order.DoesNotExist:
            raise CommandError(f"There is no order {order_id} in SQL.") from None
        checker = path.parent / _CHECKER
        try:
            _write(path, held, os.O_EXCL)
            _write(checker, Path(evidence.__file__).read_bytes(), os.O_TRUNC)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        digest = hashlib.sha256(held).hexdigest()
        detail = {"reason": reason, "sha256": digest}
        audit.record(actor=operator(user), action="evidence.export", subject=order_id, detail=detail)
        if options["json"]:
            self.show_json({"bundle": str(path), "sha256": digest, "checker": str(checker)})
        else:
            self.show(f"Written: {path}, SHA-256 {digest}.\nCheck it: python3 -I {checker} {path}")


def _write(path: Path, content: bytes, how: int) -> None:
    """For nobody else to read: there are prices in it."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
        file.write(content)
