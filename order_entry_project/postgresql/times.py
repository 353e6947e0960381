"""Times out of PostgreSQL: a page of a hundred orders has three hundred of them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.adapt import AdaptersMap


class UtcLoader(BaseTzLoader):  # type: ignore[misc] # its stubs do not know it
    """Gives what Django's own does, which takes each time apart in Python, at a fraction of the price."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(str(data, "ascii")).astimezone(UTC)
        except ValueError:
            # Infinity, the years that Python does not have, styles that are not ISO's: psycopg knows them.
            loaded: datetime = super().load(data)
            return loaded


@cache
def with_quick_times(adapters: AdaptersMap) -> AdaptersMap:
    """A copy of them that loads times so."""
    copied = AdaptersMap(adapters)
    copied.register_loader("timestamptz", UtcLoader)
    return copied
