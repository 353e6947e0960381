"""The console's pages of the order book. Read-only: orders change through the domain's functions alone."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import truncatechars
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET

from orders import audit
from orders.admin import amounts
from orders.admin.export import lines
from orders.admin.filters import CounterpartyFilter, DaysFilter
from orders.admin.read_only import ReadOnlyAdmin
from orders.models import Order


class OrderAdmin(ReadOnlyAdmin):
    """Registered by the app that adds the story and the actions, see `routing.admin`."""

    change_list_template = "console/orders.html"
    # Labels above their values, several beside each other.
    compressed_fields = False
    list_display = (
        "order_id",
        "symbol",
        "side",
        "exact_quantity",
        "exact_price",
        "counterparty",
        "standing",
        "route",
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
                    ("status", "route", "counterparty"),
                    ("side", "exact_quantity", "symbol", "exact_price"),
                )
            },
        ),
        (
            "Times",
            {
                "classes": ("collapse",),
                "fields": (
                    ("created_at", "placed_at", "routed_at"),
                    ("updated_at", "due_at", "claimed_until"),
                ),
            },
        ),
        ("Origin", {"classes": ("collapse",), "fields": (("message_id", "version", "attempts"), "extra")}),
    )

    @admin.display(description="quantity")
    def exact_quantity(self, order: Order) -> str:
        return amounts.quantity(order.quantity)

    @admin.display(description="price")
    def exact_price(self, order: Order) -> str:
        return amounts.price(order.price)

    @admin.display(description="status")
    def standing(self, order: Order) -> str:
        if not order.needs_review:
            return order.get_status_display()
        return format_html(
            '{} <span class="console-standing" title="{}">In review: {}</span>',
            order.get_status_display(),
            order.review_reason,
            truncatechars(order.review_reason, 60),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """By order ids that begin so, a whole counterparty or symbol, whichever of these there are.

        Orders by the beginning of their ids come in the order of these: sorted by time, all would have to be found.
        But those of one counterparty are to be had in the order of time, and few of them may have such an id.
        """
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        by_id = Q(order_id__startswith=term)
        if Order.objects.filter(by_id).exists():
            found = queryset.filter(by_id)
            in_order = ORDER_VAR in request.GET or request.GET.get(CounterpartyFilter.parameter_name)
            return (found if in_order else found.order_by("order_id")), False
        by_name = [Q(**{name: term}) for name in ("counterparty", "symbol")]
        known = [name for name in by_name if Order.objects.filter(name).exists()]
        return queryset.filter(reduce(or_, known)) if known else queryset.none(), False

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("orders.export_order")

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(require_GET(self.export))
        return [path("export/", export, name="orders_order_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """What the list of the same query shows, and all that follows it, as CSV."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            orders = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest("The filters of the list cannot be understood.")
        audit.record(
            actor=request.user.get_username(),
            action="orders.export",
            subject="orders",
            detail={"filters": request.GET.urlencode()},
        )
        name = f"orders-{timezone.now():%Y%m%d-%H%M%S}.csv"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(
            lines(orders), content_type="text/csv; charset=utf-8", headers=disposition
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may = {"may_export": self.has_export_permission(request)}
        return super().changelist_view(request, may | (extra_context or {}))
