"""What commands are given: the types of their arguments, each of which says what it expected."""

from __future__ import annotations

import contextlib
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from orders import durations
from orders.names import ORDER_ID_IN_WORDS, is_order_id


def add_operator_arguments(parser: ArgumentParser, *, default_reason: str) -> None:
    """`--user` and `--reason`, for what is put on record."""
    parser.add_argument("--user", type=_line(64), help="on whose behalf, where the account does not say it")
    parser.add_argument(
        "--reason", type=_line(500), default=default_reason, help="why, for the record (%(default)s)"
    )


def order_id(text: str) -> str:
    if not is_order_id(text):
        raise ArgumentTypeError(f"expected {ORDER_ID_IN_WORDS}, got {text!r}")
    return text


def duration(text: str) -> float:
    """Seconds."""
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}, got {text!r}") from None


def moment(text: str) -> datetime:
    """A time, given as such or as how long ago it was."""
    with contextlib.suppress(ValueError, OverflowError):
        return datetime.now(UTC) - timedelta(seconds=durations.seconds(text))
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        named = datetime.min  # noqa: DTZ901 - stands for none
    if named.tzinfo is None:
        raise ArgumentTypeError(
            f"expected 2h, 3d or a time with its zone, 2026-02-14T10:30:00Z; got {text!r}"
        )
    return named


def count(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ArgumentTypeError(f"expected a whole number from {least:,} to {most:,}, got {text!r}")
        return int(text)

    return parse


def number(kind: type[int | float], least: float, most: float, expected: str) -> Callable[[str], Any]:
    """A number of this kind within these bounds, which `expected` puts in words."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


def _line(most: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text.strip() or not text.isprintable() or len(text) > most:
            raise ArgumentTypeError(f"expected 1 to {most} printable characters, got {text[:80]!r}")
        return text.strip()

    return parse
