"""Quantities and prices as people read them: exact, and long ones in groups of three digits."""

from __future__ import annotations

from decimal import Decimal

from orders import documents


def quantity(amount: Decimal) -> str:
    return _grouped(documents.quantity_text(amount))


def price(amount: Decimal) -> str:
    return _grouped(documents.price_text(amount))


def _grouped(text: str) -> str:
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}"
