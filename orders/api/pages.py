"""Pages of the order list, newest first, stable while orders keep arriving."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class OrderPages(CursorPagination):
    ordering = ("-created_at", "order_id")
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    # A cursor is a time and an offset among orders of that very time. The default limit of that offset would
    # turn in circles where a sender gives thousands of orders the same second.
    offset_cutoff = 1_000_000

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not _is_time(str(cursor.position)):
            raise ValidationError({"cursor": ["not a cursor of this list"]})
        return cursor


def _is_time(text: str) -> bool:
    try:
        time = parse_datetime(text)
    except ValueError:
        return False
    return time is not None and time.tzinfo is not None
