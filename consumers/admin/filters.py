"""Filters of the list of rejected messages. None looks at more rows than it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpRequest

from consumers.models import State
from orders.admin.filters import NameFilter, WaitingFilter

if TYPE_CHECKING:
    from django.contrib.admin import SimpleListFilter as TextFilter
else:
    from unfold.contrib.filters.admin import TextFilter


class StateFilter(WaitingFilter):
    """Whatever its state, where something is searched for."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        del request, model_admin
        return [(State.REPLAYED.value, "Replayed"), (State.DISCARDED.value, "Discarded"), ("ANY", "Any")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ("ANY" if request.GET.get("q") else State.WAITING.value)
        return queryset if chosen == "ANY" else queryset.filter(state=chosen)


class QueueFilter(NameFilter):
    title = "queue"
    parameter_name = "queue"


class FaultFilter(TextFilter):
    """The field at fault; - where it is the whole message."""

    title = "field at fault (- for the whole)"
    parameter_name = "fault"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        text = (self.value() or "").replace("\0", "")
        return queryset.filter(fault="" if text == "-" else text) if text else queryset
