"""The console's pages of the order book. Read-only: orders change through the domain's functions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from orders import documents
from orders.models import Order


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anyone turns pages: counting millions of rows takes seconds."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[: self.MOST].count() if isinstance(rows, QuerySet) else len(rows)


@dataclass(frozen=True)
class Table:
    """Rows shown below the fields of a page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pages to look at; nothing is added, changed or deleted by hand."""

    change_form_template = "admin/read_only_form.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    # They would count the whole table once for every choice.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        del request, obj
        return False

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
            # What can be done to the rows of the list can be done to this one.
            "actions": [(name, text) for _, name, text in filter(None, self.get_actions(request).values())],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "show_close": True,
        }
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))


class OrderAdmin(ReadOnlyAdmin):
    """Registered by the app that adds the last of its tables and actions, see `routing.admin`."""

    list_display = (
        "order_id",
        "symbol",
        "side",
        "exact_quantity",
        "exact_price",
        "counterparty",
        "status",
        "route",
        "review",
        "created_at",
    )
    list_filter = ("status", "needs_review", "side", "created_at")
    # Orders by the hundred thousand are sorted by what has an index.
    sortable_by = ("order_id", "created_at")
    search_fields = ("order_id",)
    search_help_text = "The beginning of an order id; or a whole counterparty or symbol"
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "status",
                    "review",
                    "route",
                    "side",
                    "exact_quantity",
                    "symbol",
                    "exact_price",
                    "counterparty",
                )
            },
        ),
        (
            "Times",
            {
                "classes": ("collapse",),
                "fields": ("created_at", "placed_at", "routed_at", "updated_at", "due_at", "claimed_until"),
            },
        ),
        ("Origin", {"classes": ("collapse",), "fields": ("message_id", "extra", "version", "attempts")}),
    )

    @admin.display(description="quantity")
    def exact_quantity(self, order: Order) -> str:
        return documents.quantity_text(order.quantity)

    @admin.display(description="price")
    def exact_price(self, order: Order) -> str:
        return documents.price_text(order.price)

    @admin.display(description="review")
    def review(self, order: Order) -> str | None:
        return f"needed: {order.review_reason}" if order.needs_review else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """By what has an index first; a symbol, which has none, only where that finds nothing."""
        del request
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        found = queryset.filter(Q(order_id__startswith=term) | Q(counterparty=term))
        return (found if found.exists() else queryset.filter(symbol=term)), False

    def tables(self, obj: Order) -> list[Table]:
        events = obj.events.order_by("sequence")
        return [
            Table(
                "Events",
                ("#", "Event", "When", "Who", "Why"),
                [(e.sequence, e.get_event_display(), e.at, e.actor, e.reason) for e in events],
            )
        ]
