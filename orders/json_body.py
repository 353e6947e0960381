"""JSON bodies, read strictly: what two readers could understand differently is refused, numbers stay exact.

Refused beyond what RFC 8259 refuses: a byte order mark, NaN and Infinity, a key given twice, half a surrogate
pair, NUL in a text, nesting deeper than `MAX_DEPTH`, numbers no decimal can hold.

Note on two passes: the first only finds out *that* something is wrong, at the speed of the C parser; the
second, for bodies that are refused anyway, finds out what and where.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from orders.invalid import InvalidOrder, path_of, shown

MAX_DEPTH = 32
# Python refuses to print larger integers, by default.
_MAX_INT_BITS = 14_000


class _Suspicious(ValueError):
    """The second pass will tell."""


@dataclass(slots=True, frozen=True)
class _Broken:
    """Stands in the second pass for a value that the first refused."""

    problem: str


def read(body: bytes) -> dict[str, Any]:
    """The body's object: numbers as Decimal, no surprises left. Raises `InvalidOrder`."""
    try:
        text = body.decode()
        fields = _first_pass(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise _explained(body) from None
    if type(fields) is not dict:
        raise _not_an_object(fields)
    # Only an escape can bring NUL or half a surrogate pair; only many brackets can nest deeply.
    if "\\u" in text or text.count("{") + text.count("[") > MAX_DEPTH:
        check(fields)
    return fields


def check(fields: dict[str, Any]) -> None:
    """Refuse whatever in an object, read by anyone, is not exact JSON. Raises `InvalidOrder`."""
    for fault in _faults(fields, ()):
        raise fault


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Suspicious
    return fields


def _refuse(constant: str) -> NoReturn:
    raise _Suspicious(constant)


_first_pass = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
).decode


def _unique_or_broken(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Broken:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            return _Broken(f"gives {shown(key)} twice; expected each name once")
        seen.add(key)
    return dict(pairs)


def _number_or_broken(text: str) -> Decimal | _Broken:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _Broken(f"is {text:.40}; expected a number that a decimal can hold")


def _constant_as_broken(text: str) -> _Broken:
    return _Broken(f"is {text}, which JSON does not have; expected a number")


_second_pass = json.JSONDecoder(
    object_pairs_hook=_unique_or_broken,
    parse_float=_number_or_broken,
    parse_int=_number_or_broken,
    parse_constant=_constant_as_broken,
).decode


def _explained(body: bytes) -> InvalidOrder:
    try:
        value = _second_pass(_text(body))
    except json.JSONDecodeError as error:
        near = shown(error.doc[error.pos : error.pos + 20]) if error.pos < len(error.doc) else "its end"
        return InvalidOrder(
            "UNREADABLE",
            f"The body is not JSON: {error.msg.removesuffix(' at')} "
            f"at line {error.lineno}, column {error.colno}, near {near}",
        )
    except RecursionError:
        return _too_deep()
    except InvalidOrder as fault:
        return fault
    if isinstance(value, dict):
        return next(_faults(value, ()))
    return _not_an_object(value)


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidOrder(
            "UNREADABLE",
            f"The body is not UTF-8: byte {body[error.start]:#04x} at offset {error.start}",
        ) from None
    if not text.strip():
        raise InvalidOrder("UNREADABLE", "The body is empty; expected a JSON object")
    if text.startswith("\ufeff"):
        raise InvalidOrder("UNREADABLE", "The body begins with a byte order mark; expected JSON without one")
    return text


def _not_an_object(value: Any) -> InvalidOrder:
    if isinstance(value, _Broken):
        return InvalidOrder("UNREADABLE", f"The body {value.problem}")
    return InvalidOrder("UNREADABLE", f"The body is {shown(value)}; expected a JSON object")


def _too_deep() -> InvalidOrder:
    return InvalidOrder(
        "UNREADABLE",
        f"The body is nested deeper than {MAX_DEPTH} levels; expected less in its unknown fields",
    )


def _faults(value: Any, path: tuple[str | int, ...]) -> Iterator[InvalidOrder]:
    """Everything wrong in `value`, in the order of the text."""
    kind = type(value)
    if kind is str:
        yield from _faults_in_text(value, path)
    elif kind is dict or kind is list:
        yield from _faults_within(value, path)
    elif kind is _Broken:
        yield InvalidOrder(
            "UNREADABLE", value.problem if path else f"The body {value.problem}", path=path_of(*path)
        )
    elif not _exact(value):
        yield InvalidOrder("BAD_VALUE", f"is {shown(value)}; expected a value of JSON", path=path_of(*path))


def _exact(value: Any) -> bool:
    """Whether a value that is no text and holds nothing is one that JSON has."""
    if type(value) is Decimal:
        return value.is_finite()
    if type(value) is int:
        return value.bit_length() <= _MAX_INT_BITS
    return value is None or type(value) is bool


def _faults_within(value: dict[Any, Any] | list[Any], path: tuple[str | int, ...]) -> Iterator[InvalidOrder]:
    if len(path) >= MAX_DEPTH:
        yield _too_deep()
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        inner = (*path, key)
        if isinstance(value, dict):
            yield from _faults_in_text(key, inner)
        yield from _faults(item, inner)


def _faults_in_text(text: Any, path: tuple[str | int, ...]) -> Iterator[InvalidOrder]:
    if type(text) is not str:
        problem = f"is a name of type {type(text).__name__}; expected text"
    elif "\x00" in text:
        problem = f"is {shown(text)}; expected text without NUL"
    elif not _whole(text):
        problem = f"is {shown(text)}; expected text without half a surrogate pair"
    else:
        return
    yield InvalidOrder("BAD_VALUE", problem, path=path_of(*path))


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
