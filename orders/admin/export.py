"""Orders as CSV: those that a list shows, all of them, however many.

Rows are fetched as they are sent, from a cursor in one transaction: one moment's state, and never more than a few
thousand rows at once. A file that could not be finished ends as a broken transfer, not as a short file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from orders import documents
from orders.models import Order

COLUMNS = (
    "order_id",
    *documents.LISTED,
    "created_at",
    "placed_at",
    "routed_at",
    "updated_at",
    "message_id",
    "attempts",
)
_FETCHED = 2000
# What a spreadsheet takes for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What a csv writer writes to; it gives the line back."""

    @staticmethod
    def write(line: str) -> str:
        return line


def lines(orders: QuerySet[Order]) -> Iterator[str]:
    """The file, a few thousand lines at a time."""
    write = csv.writer(_Line()).writerow
    yield write(COLUMNS)
    with transaction.atomic():
        block: list[str] = []
        for row in orders.values_list(*COLUMNS).iterator(_FETCHED):
            block.append(write(_cells(row)))
            if len(block) == _FETCHED:
                yield "".join(block)
                block.clear()
        yield "".join(block)


def _cells(row: Iterable[Any]) -> list[str]:
    return [_cell(name, value) for name, value in zip(COLUMNS, row, strict=True)]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return documents.time_text(value)
    if isinstance(value, Decimal):
        return documents.price_text(value) if name == "price" else documents.quantity_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
