"""Filters of the console's lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.admin import FieldListFilter as RangeDateFilter
    from django.contrib.admin import SimpleListFilter as TextFilter
else:
    from unfold.contrib.filters.admin import RangeDateFilter, TextFilter


class DaysFilter(RangeDateFilter):
    """From one day to another, both included, in UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        if first := self._day("from"):
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last := self._day("to"):
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}")
        if not text:
            return None
        try:
            day = date.fromisoformat(str(text))
        except ValueError as error:
            raise IncorrectLookupParameters(f"expected a day as 2026-02-14, got {text!r}") from error
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


class WaitingFilter(admin.SimpleListFilter):
    """What waits, unless another state is chosen: the first choice, which is in force by itself."""

    title = "state"
    parameter_name = "state"

    def choices(self, changelist: Any) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        yield {**first, "display": "Waiting"}
        yield from others


class NameFilter(TextFilter):
    """The whole name of one; `parameter_name` is the field's, too."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        text = (self.value() or "").strip().replace("\0", "")
        return queryset.filter(**{self.parameter_name: text}) if text else queryset


class CounterpartyFilter(NameFilter):
    title = "counterparty"
    parameter_name = "counterparty"
