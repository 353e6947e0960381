"""What the console's pages have in common: they show, and whatever they do is an action of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.pages import BoundedPaginator, UncountedList, page_asked_for

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin


@dataclass(frozen=True)
class Table:
    """Rows shown below the fields of a page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[type-arg]
    """Pages to look at; nothing is added, changed or deleted by hand."""

    change_form_template = "console/page.html"
    change_list_template = "console/list.html"
    show_full_result_count = False
    # They would count the whole table once for every choice.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[UncountedList]:
        del request, kwargs
        return UncountedList

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *args: Any, **kwargs: Any
    ) -> BoundedPaginator:
        del args, kwargs
        return BoundedPaginator(queryset, per_page, page=page_asked_for(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def actions_for(self, request: HttpRequest, obj: Any) -> list[tuple[str, str]]:
        """Name and text of what can be done to `obj`: all that can be done to the rows of the list."""
        del obj
        return [(name, text) for _, name, text in filter(None, self.get_actions(request).values())]

    def tables(self, obj: Any) -> list[Table]:
        """What is shown below the fields of `obj`."""
        del obj
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        obj = self.get_object(request, object_id)
        shown = {
            "tables": self.tables(obj) if obj and self.has_view_permission(request, obj) else [],
            "actions": self.actions_for(request, obj) if obj else [],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "show_close": True,
        }
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))
