"""The port to a key-value store: status cache, idempotency marks, consumer offsets.

A store is never the authority: each call either works within its timeout or raises `StoreUnavailable`,
and the caller goes on with SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

# What is written: None is the same as leaving the bin out, and `version` is the record's own.
Bins = Mapping[str, str | int | None]
# What is read: every value as text, whatever the store, and the record's `version` among them.
Read = Mapping[str, str]


class StoreUnavailable(Exception):
    """The store did not do it, or may not have. The message says why."""


class RecordsRefused(StoreUnavailable):
    """The store answers, yet did not take these records; it took the others of the batch."""


class Record(msgspec.Struct, frozen=True):
    """`key` begins with its kind and a colon, bins' names have at most 15 characters.

    A lower `version` (0 to 2**53) never overwrites a higher one. `ttl` in seconds, 1 or more; None: for ever.
    """

    key: str
    bins: Bins
    version: int
    ttl: int | None

    @property
    def stored(self) -> dict[str, str | int]:
        """The bins as a store keeps them."""
        bins = {name: value for name, value in self.bins.items() if value is not None}
        bins["version"] = self.version
        return bins


def newest(records: Sequence[Record]) -> list[Record]:
    """Each key once, with its newest record; of equal versions the last."""
    found: dict[str, Record] = {}
    for record in records:
        known = found.get(record.key)
        if known is None or known.version <= record.version:
            found[record.key] = record
    return list(found.values())


class Store(Protocol):
    """`name` as in the configuration."""

    name: str

    def write(self, records: Sequence[Record]) -> None:
        """Write each as a whole, newest version wins, an equal one rewrites. Raises `StoreUnavailable`."""

    def read(self, keys: Sequence[str]) -> dict[str, Read]:
        """The live records among `keys`. Raises `StoreUnavailable`."""

    def remove(self, keys: Sequence[str]) -> None:
        """Remove whatever is there. Raises `StoreUnavailable`."""

    def ping(self) -> None:
        """One round trip. Raises `StoreUnavailable`."""

    def check(self) -> list[str]:
        """What is wrong with the store's own set-up, a line each. Raises `StoreUnavailable`."""

    def close(self) -> None:
        """Let go of connections; the next call makes new ones."""
