"""`manage.py migrate`, which no consumer has to wait for: it gives a lock up rather than queue for it.

Whoever waits for a table's strongest lock lets nobody else through, not those who only read or write: behind a long
report, a migration would stop the consumers for as long as that takes. Making an index CONCURRENTLY waits for old
transactions too, but nobody waits for it; given up, it would leave an index that is no good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

_LONGEST_WAIT = "1s"


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        try:
            with connection.execute_wrapper(_bounded):
                super().handle(*args, **options)
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            raise CommandError(
                f"A lock was not to be had within {_LONGEST_WAIT}: somebody has a transaction open on that table."
                " The migrations before this one are done. Give the command again."
            ) from error


def _bounded(
    execute: Callable[..., Any],
    sql: Any,
    params: Any,
    many: bool,
    context: Mapping[str, Any],
) -> Any:
    wait = "0" if "CONCURRENTLY" in str(sql) else _LONGEST_WAIT
    # Beneath Django's cursor, whose statements come here.
    context["cursor"].cursor.execute(f"SET lock_timeout = '{wait}'")
    return execute(sql, params, many, context)
