"""The port to a key-value store: status cache, idempotency marks, consumer offsets.

A store is never the authority: each call either works within its timeout or raises `StoreUnavailable`,
and the caller goes on with SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Bins = Mapping[str, str | int | None]


class StoreUnavailable(Exception):
    """The store did not do it, or may not have. The message says why."""


@dataclass(slots=True, frozen=True)
class Record:
    """`ttl` in seconds, None: for ever. A lower `version` never overwrites a higher one."""

    key: str
    bins: Bins
    version: int
    ttl: int | None


class Store(Protocol):
    name: str

    def write(self, records: Sequence[Record]) -> None:
        """Write each, newest version wins, an equal one rewrites. Raises `StoreUnavailable`."""

    def read(self, keys: Sequence[str]) -> dict[str, Bins]:
        """The live records among `keys`. Raises `StoreUnavailable`."""

    def remove(self, keys: Sequence[str]) -> None:
        """Remove whatever is there. Raises `StoreUnavailable`."""

    def ping(self) -> None:
        """One round trip. Raises `StoreUnavailable`."""

    def close(self) -> None: ...
