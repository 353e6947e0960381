"""The console's page of one order: what holds it, its whole story, where its time went, and what the cache says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST

from orders import cache_repair
from orders.models import Order
from orders.stores.port import StoreUnavailable
from routing import ledger
from routing.dossier import dossier
from routing.models import Outcome
from routing.story import story

if TYPE_CHECKING:
    from orders.admin.order import OrderAdmin
else:
    OrderAdmin = object


class OrderPage(OrderAdmin):
    """Mixed into the admin of orders."""

    change_form_template = "routing/order_page.html"

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.repair_cache")

    def get_urls(self) -> list[URLPattern]:
        repair = self.admin_site.admin_view(require_POST(self.repair_cache))
        name = "orders_order_repair_cache"
        return [path("<path:object_id>/repair-cache/", repair, name=name), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        order = self.get_object(request, object_id)
        shown = _shown(order) if order and self.has_view_permission(request, order) else {}
        may = {"may_repair": self.has_repair_permission(request)}
        return super().change_view(request, object_id, form_url, shown | may | (extra_context or {}))

    def repair_cache(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make the cache say of the order what the book says."""
        if not self.has_repair_permission(request):
            raise PermissionDenied
        order = self.get_object(request, object_id)
        if order is None:
            raise Http404
        try:
            repaired = cache_repair.repair_one(order.order_id, actor=request.user.get_username())
        except StoreUnavailable as unavailable:
            self.message_user(request, f"The cache could not be asked: {unavailable}.", messages.ERROR)
        else:
            self.message_user(request, *_said(repaired))
        return redirect("admin:orders_order_change", order.order_id)


def _said(repaired: cache_repair.Repair) -> tuple[str, int]:
    if repaired.refused:
        return f"The cache refuses what the book says: {repaired.refusal}.", messages.ERROR
    if repaired.found:
        return "The cache agrees with the book again.", messages.SUCCESS
    return "The cache agreed with the book already.", messages.INFO


def _shown(order: Order) -> dict[str, Any]:
    found = dossier(order.order_id)
    accepted = next((route for route in found.routes if route.outcome == Outcome.ACCEPTED), None)
    stages = ledger.stages(accepted) if accepted else []
    return {
        "story": story(order, found),
        "claimed": order.claimed_until is not None and order.claimed_until > timezone.now(),
        "halts": found.halts,
        "unpublished": any(route.publish_after and not route.published_at for route in found.routes),
        "stages": stages,
        "longest_stage": max((spent for _, spent in stages), default=0) or 1,
        "dossier": found,
        "differences": sum(field.differs for field in found.comparison),
        "store": settings.CONFIG.cache_store,
    }
