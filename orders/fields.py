"""Two column types that Django does not have."""

from __future__ import annotations

from typing import Any

from django.db import models


class KeyField(models.CharField):
    """A key compared byte by byte: its one index also serves `LIKE 'prefix%'`, so Django's second is not made.

    Django adds a `_like` index to what it knows as `varchar`; with the collation "C" it would be a twin.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_collation"] = "C"
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:
        del connection
        return f"character varying({self.max_length})"

    def cast_db_type(self, connection: Any) -> str:
        return self.db_type(connection)


class ExactJSONField(models.TextField):
    """JSON kept to the letter (PostgreSQL `json`), for text that must be sent again byte for byte."""

    def db_type(self, connection: Any) -> str:
        del connection
        return "json"
