"""The console's pages of orders with their routes, and routing by hand."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html

from orders.admin.order import OrderAdmin
from orders.admin.read_only import Table
from orders.lifecycle import ROUTABLE
from orders.models import Order
from routing import ledger
from routing.filters import UnpublishedFilter
from routing.forms import RouteByHandForm
from routing.manual import route_by_hand
from routing.models import Outcome
from routing.operations import Refused

# Each is a transaction of its own, and a person waits for the answer.
MOST_AT_ONCE = 200
_LATE_ORDERS = 500


@admin.register(Order)
class RoutableOrderAdmin(OrderAdmin):
    list_filter: ClassVar[Any] = (*OrderAdmin.list_filter, UnpublishedFilter)
    actions = ("route_to_a_venue",)

    def has_route_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.route_order")

    @admin.action(description="Route to a venue…", permissions=["route"])
    def route_to_a_venue(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase | None:
        """Ask where to and why, then route each of the orders, saying of each what became of it."""
        orders = list(queryset.order_by("order_id")[: MOST_AT_ONCE + 1])
        if len(orders) > MOST_AT_ONCE:
            self.message_user(request, f"Choose at most {MOST_AT_ONCE} orders at once.", messages.ERROR)
            return None
        form = RouteByHandForm(request.POST if "decided" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, orders, form)
        for order in orders:
            self._route(request, order, **form.cleaned_data)
        return None

    def _ask(self, request: HttpRequest, orders: list[Order], form: RouteByHandForm) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Route to a venue",
            "opts": self.opts,
            "orders": [
                (order, self.exact_quantity(order), self.exact_price(order), _obstacle(order))
                for order in orders
            ],
            "form": form,
            "venues": _late_venues(),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/routing/route_to_a_venue.html", context)

    def _route(self, request: HttpRequest, order: Order, *, route: str, reason: str) -> None:
        try:
            route_by_hand(order.order_id, route=route, reason=reason, actor=request.user.get_username())
        except (Refused, Order.DoesNotExist) as refusal:
            self.message_user(request, f"Not routed: {refusal}.", messages.ERROR)
        else:
            self.message_user(request, f"{order.order_id} is routed to {route}.", messages.SUCCESS)

    def tables(self, obj: Order) -> list[Table]:
        return [*super().tables(obj), _routes(obj), *_ledger(obj)]


def _obstacle(order: Order) -> str:
    """Why an order cannot be routed by hand, as far as can be said before trying; empty: nothing is known."""
    if order.status not in ROUTABLE:
        return f"is {order.get_status_display()} already"
    if order.claimed_until and order.claimed_until > timezone.now():
        return f"the machine is routing it, until {order.claimed_until:%H:%M:%S} UTC at the latest"
    return ""


def _late_venues() -> list[str]:
    """Where the latest orders went."""
    late = Order.objects.order_by("-created_at").values_list("route", flat=True)[:_LATE_ORDERS]
    return sorted({route for route in late if route})


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
