"""The console's pages of orders with their routes, and of what people do with them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html

from orders.admin.order import OrderAdmin
from orders.admin.read_only import Table
from orders.models import Order
from routing import ledger
from routing.console import approval_page, bulk_page
from routing.console.actions import OrderActions
from routing.filters import UnpublishedFilter
from routing.models import Outcome

__all__ = ["RoutableOrderAdmin", "approval_page", "bulk_page"]


@admin.register(Order)
class RoutableOrderAdmin(OrderActions, OrderAdmin):
    list_filter: ClassVar[Any] = (*OrderAdmin.list_filter, UnpublishedFilter)

    def tables(self, obj: Order) -> list[Table]:
        return [*super().tables(obj), _routes(obj), *_ledger(obj)]


def _ledger(order: Order) -> list[Table]:
    """Where the time of an order went that was routed by the machine in one go."""
    accepted = order.routes.filter(outcome=Outcome.ACCEPTED).select_related("order").first()
    stages = ledger.stages(accepted) if accepted else []
    if not stages:
        return []
    most = max(milliseconds for _, milliseconds in stages)
    rows = [
        (stage, f"{spent:.2f}", format_html('<meter max="{}" value="{}"></meter>', most or 1, spent))
        for stage, spent in stages
    ]
    return [Table("Where its time went", ("Stage", "ms", ""), rows)]


def _routes(order: Order) -> Table:
    columns = ("#", "Outcome", "Route", "When", "Who", "Why", "Endpoint", "HTTP", "ms", "Error", "Published")
    rows: list[tuple[Any, ...]] = [
        (
            route.attempt,
            route.get_outcome_display(),
            route.route,
            route.decided_at,
            route.decided_by,
            route.reason,
            route.endpoint,
            route.http_status,
            None if route.latency_ms is None else round(route.latency_ms, 1),
            route.error,
            route.published_at,
        )
        for route in order.routes.order_by("attempt")
    ]
    return Table("Routing: attempts and decisions", columns, rows)
