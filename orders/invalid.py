"""The one error of reading an order: why, where, what was there and what was expected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

Reason = Literal["UNREADABLE", "MISSING_FIELD", "BAD_VALUE", "TOO_LARGE"]

_LONGEST_VALUE = 40
_LONGEST_PATH = 200


class InvalidOrder(ValueError):
    """A body that is no order.

    `path`: the field as the sender wrote it (`price`, `legs.0.ratio`), "" for the body as a whole.
    `message`: what it holds, shortened, and what was expected; printable, no line breaks.
    `order_id`: where it could be read.
    """

    def __init__(self, reason: Reason, message: str, *, path: str = "", order_id: str | None = None) -> None:
        super().__init__(reason, message)
        self.reason: Reason = reason
        self.message = message
        self.path = path
        self.order_id = order_id

    def __str__(self) -> str:
        return f"{self.path} {self.message}" if self.path else self.message


def shown(value: Any, longest: int = _LONGEST_VALUE) -> str:
    """`value` as a person would write it, short and printable whatever it holds."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _cut(repr(value[: longest + 1]), longest)
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > longest * 4:
        return f"a number of {value.bit_length()} bits"
    return _cut(str(value) if isinstance(value, int | Decimal) else f"a {type(value).__name__}", longest)


def path_of(*segments: str | int) -> str:
    """`legs.0.ratio`, bounded in length; what cannot be printed is escaped."""
    return _cut(".".join(_segment(str(segment)) for segment in segments), _LONGEST_PATH)


def _segment(name: str) -> str:
    name = _cut(name, _LONGEST_VALUE)
    return name if name and name.isprintable() else repr(name)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
