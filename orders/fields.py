"""Two column types that Django does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    TextColumn = models.TextField[str, str]
    CharColumn = models.CharField[str, str]
else:  # Django's fields take their type arguments in stubs alone.
    TextColumn, CharColumn = models.TextField, models.CharField


class KeyField(CharColumn):
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


class ExactJSONField(TextColumn):
    """JSON kept to the letter (PostgreSQL `json`), for text that must be sent again byte for byte."""

    def db_type(self, connection: Any) -> str:
        del connection
        return "json"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """As text: the driver would parse it."""
        del compiler
        return f"({sql})::text", params
