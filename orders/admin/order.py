"""The console's pages of the order book. Read-only: orders change through the domain's functions alone."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from orders import documents
from orders.admin.filters import CounterpartyFilter, DaysFilter
from orders.admin.read_only import ReadOnlyAdmin
from orders.models import Order


class OrderAdmin(ReadOnlyAdmin):
    """Registered by the app that adds the story and the actions, see `routing.admin`."""

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
    list_filter: ClassVar[Any] = (
        "status",
        "needs_review",
        "side",
        ("created_at", DaysFilter),
        CounterpartyFilter,
    )
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
        """By order ids that begin so, a whole counterparty or symbol, whichever of these there are.

        Orders by the beginning of their ids come in the order of these: sorted by time, all would have to be found.
        """
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        by_id = Q(order_id__startswith=term)
        if Order.objects.filter(by_id).exists():
            found = queryset.filter(by_id)
            return (found if ORDER_VAR in request.GET else found.order_by("order_id")), False
        by_name = [Q(**{name: term}) for name in ("counterparty", "symbol")]
        known = [name for name in by_name if Order.objects.filter(name).exists()]
        return queryset.filter(reduce(or_, known)) if known else queryset.none(), False
