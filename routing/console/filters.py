"""Filters of the console's list of orders by what became of their routes."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.models import Order
from routing.models import OrderRoute


class UnpublishedFilter(admin.SimpleListFilter):
    """Routed orders that downstream has not been told of: those the relay looks for, as far as anyone looks.

    They are looked up before: as a subquery, the planner may rather go through all orders in their time's order.
    """

    MOST = 1000

    title = "publication"
    parameter_name = "unpublished"
    CHOICES: ClassVar = [("yes", "Not yet published")]

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        del request, model_admin
        return self.CHOICES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        del request
        if self.value() != "yes":
            return queryset
        waiting = OrderRoute.objects.filter(published_at__isnull=True, publish_after__isnull=False)
        oldest = waiting.order_by("publish_after").values_list("order_id", flat=True)[: self.MOST]
        return queryset.filter(pk__in=list(oldest))
