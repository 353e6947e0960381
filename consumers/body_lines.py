"""A message's body a line at a time, for people: what can be read laid out, the line at fault marked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings

from consumers.readable import readable
from orders import avro
from orders.invalid import InvalidOrder, path_of
from orders.schema import MAX_BODY, is_avro

_MOST_SHOWN = 2000
_INDENT = "  "


@dataclass(slots=True, frozen=True)
class Line:
    text: str
    at_fault: bool = False


class _Literal(str):
    """A number, or whatever else stands for itself, as it was written."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object's, in their order, with those that are there twice."""


def shown(body: bytes, content_type: str, *, fault: str) -> list[Line]:
    """JSON and Avro laid out, anything else as `readable` has it. `fault`: the path of a field, as price or legs.0."""
    written = _written(body, content_type)
    if written is None:
        lines = _raw(body)
    else:
        lines = [Line(text, bool(fault) and path_of(*path) == fault) for text, path in written]
        if fault and not any(line.at_fault for line in lines):
            # It is missing: that shows at the end.
            lines[-1] = Line(lines[-1].text, at_fault=True)
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], Line(f"… and {more:,} lines more")] if more > 0 else lines


def editable(body: bytes, content_type: str) -> str:
    """The body as JSON to be mended, numbers as they were written; where it is none the text itself, if it is text."""
    written = _written(body, content_type)
    if written is not None:
        return "\n".join(text for text, _ in written)
    try:
        return body.decode()
    except UnicodeDecodeError:
        return ""


_decode = json.JSONDecoder(
    object_pairs_hook=_Members, parse_float=_Literal, parse_int=_Literal, parse_constant=_Literal
).decode


def _written(body: bytes, content_type: str) -> list[tuple[str, tuple[str | int, ...]]] | None:
    """Each line with the path of what stands in it; None for what cannot be read."""
    if len(body) > MAX_BODY:
        return None
    try:
        value = (
            avro.schemas(settings.CONFIG.mq.avro_schemas).read(body) if is_avro(content_type) else _json(body)
        )
        return list(_lay_out(value, (), ""))
    except (InvalidOrder, avro.BadSchemaFile, ValueError, RecursionError):
        return None


def _json(body: bytes) -> Any:
    value = _decode(body.decode())
    if not isinstance(value, _Members):
        raise ValueError  # noqa: TRY004 - as for any text that is no order
    return value


def _raw(body: bytes) -> list[Line]:
    """With the line where reading JSON failed."""
    at_fault = 0
    try:
        _decode(body.decode())
    except json.JSONDecodeError as error:
        at_fault = error.lineno
    except (ValueError, RecursionError):
        pass
    return [Line(text, number == at_fault) for number, text in enumerate(readable(body).split("\n"), 1)]


def _lay_out(
    value: Any, path: tuple[str | int, ...], key: str, end: str = ""
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    margin = _INDENT * len(path)
    members = _members(value)
    if not members:
        yield f"{margin}{key}{_scalar(value)}{end}", path
        return
    opening, closing = "[]" if isinstance(value, list) and not isinstance(value, _Members) else "{}"
    yield f"{margin}{key}{opening}", path
    for number, (name, item) in enumerate(members, 1):
        named = f"{_text(name)}: " if isinstance(name, str) else ""
        yield from _lay_out(item, (*path, name), named, "," if number < len(members) else "")
    yield f"{margin}{closing}{end}", (*path, "")


def _members(value: Any) -> list[tuple[str | int, Any]]:
    """What a value holds; nothing for one that is written in one line."""
    match value:
        case _Members():
            return list(value)
        case dict():
            return list(value.items())
        case list():
            return list(enumerate(value))
        case _:
            return []


def _scalar(value: Any) -> str:
    match value:
        case _Literal():
            return str(value)
        case _Members() | dict():
            return "{}"
        case Decimal():
            return f"{value:f}"
        case str():
            return _text(value)
        case _:
            return json.dumps(value)


def _text(text: str) -> str:
    """As JSON, what cannot be seen escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)
