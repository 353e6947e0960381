"""Which store a configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from orders.stores.postgresql import PostgresStore, Run

if TYPE_CHECKING:
    from orders.stores.port import Store


def open_store(name: str, *, run: Run) -> Store:
    """The store called `name` in the configuration; `run` serves the embedded one."""
    if name == "postgresql":
        return PostgresStore(run)
    raise ImproperlyConfigured(
        f"the store {name!r} is not supported yet: set cache.store and idempotency.store to postgresql"
    )
