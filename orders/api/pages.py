"""Pages of the lists, newest first, stable while rows keep arriving."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class Pages(CursorPagination):
    """Each kind says what its cursors hold. A cursor that is none of this list's leads nowhere: 404."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000

    def is_position(self, text: str) -> bool:
        """Whether a cursor of this list can hold this."""
        raise NotImplementedError

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("limit", str(self.page_size))
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= self.max_page_size:
            raise ValidationError({"limit": [f"expected 1 to {self.max_page_size}, got {text[:80]!r}"]})
        return int(text)

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not self.is_position(str(cursor.position)):
            raise NotFound("cursor: not a cursor of this list.")
        return cursor

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, limit = super().get_schema_operation_parameters(view)
        cursor["description"] = "as in `next` and `previous` of a page"
        limit["description"] = "most rows of a page"
        limit["schema"] = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": 100}
        return [cursor, limit]


class OrderPages(Pages):
    ordering = ("-created_at", "order_id")
    # A cursor is a time and an offset among orders of that very time. The default limit of that offset would
    # turn in circles where a sender gives thousands of orders the same second.
    offset_cutoff = 1_000_000

    def is_position(self, text: str) -> bool:
        return is_time(text)


def is_time(text: str) -> bool:
    try:
        time = parse_datetime(text)
    except ValueError:
        return False
    return time is not None and time.tzinfo is not None
