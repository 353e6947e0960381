"""The order book and the status cache side by side: what the cache should hold of an order, and what it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from orders.stores.port import Read, Record

# When the cache was written is the cache's own affair.
_OWN = "written_at"


@dataclass(slots=True, frozen=True)
class Field:
    """One field of an order; None where it is absent or null."""

    name: str
    book: str | None
    cache: str | None

    @property
    def differs(self) -> bool:
        return self.book != self.cache


def same(expected: Record, found: Read) -> bool:
    """Whether the cache holds what the book says."""
    return _comparable(expected.stored) == _comparable(found)


def side_by_side(expected: Record, found: Read) -> list[Field]:
    """Field by field, the spec's document first, then what lies beside it for queries."""
    book, cache = _fields(_comparable(expected.stored)), _fields(_comparable(found))
    return [Field(name, book.get(name), cache.get(name)) for name in book | cache]


def _comparable(bins: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in bins.items() if name != _OWN}


def _fields(bins: dict[str, str]) -> dict[str, str | None]:
    """The document's fields, and those bins that say something else than the document does."""
    document = _document(bins.get("value", ""))
    if document is None:
        return dict(bins)
    beside = {name: value for name, value in bins.items() if name != "value"}
    clashing = {
        f"{name} (bin)": value for name, value in beside.items() if document.get(name, value) != value
    }
    return document | {name: value for name, value in beside.items() if name not in document} | clashing


def _document(text: str) -> dict[str, str | None] | None:
    """The fields of a status document, numbers as written; None where the text is none."""
    try:
        document = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    return {name: None if value is None else str(value) for name, value in document.items()}
