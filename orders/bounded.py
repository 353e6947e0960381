"""Questions to the book that may take only so long: the console must never be what slows the book down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class TooSlow(Exception):
    """The book has no answer within the time that was given."""


@contextmanager
def bounded(milliseconds: int) -> Iterator[None]:
    """Each statement in the block may take so long. Raises `TooSlow`, which is no error of the book's."""
    within_another = connection.in_atomic_block
    with transaction.atomic(), connection.execute_wrapper(_given_up), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {milliseconds:d}")
        yield
        if within_another:
            # Else it would hold until that transaction ends.
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")


def _given_up(execute: Callable[..., Any], *statement: Any) -> Any:
    """Beneath what reports errors: that is not to hear of it."""
    try:
        return execute(*statement)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlow from error
        raise


def rows(statement: str, parameters: Mapping[str, Any], *, milliseconds: int) -> list[tuple[Any, ...]]:
    """What a SELECT gives. Raises `TooSlow`; `OperationalError` or `InterfaceError` where SQL is away."""
    with bounded(milliseconds), connection.cursor() as cursor:
        cursor.execute(statement, dict(parameters))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
