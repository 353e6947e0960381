"""What can be done to the orders of a list, or to the one of a page: each begins with a look at what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from orders.models import Order
from routing import bulk
from routing.operations import Operation, Refused, is_open_to
from routing.performing import may

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _Admin
else:
    _Admin = object


_OPERATIONS = {
    "route_to_a_venue": Operation.ROUTE,
    "retry_now": Operation.RETRY,
    "cancel": Operation.CANCEL,
    "clear_review": Operation.CLEAR_REVIEW,
}


class OrderActions(_Admin):  # type: ignore[type-arg]
    """For the pages of orders: actions for those who may."""

    actions = tuple(_OPERATIONS)

    def actions_for(self, request: HttpRequest, obj: Order) -> list[tuple[str, str]]:
        """On an order's page, those that its state allows."""
        offered: list[tuple[str, str]] = super().actions_for(request, obj)  # type: ignore[misc] # of ReadOnlyAdmin
        return [(name, text) for name, text in offered if is_open_to(_OPERATIONS[name], obj)]

    def has_route_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Operation.ROUTE)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Operation.RETRY)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Operation.CANCEL)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Operation.CLEAR_REVIEW)

    @admin.action(description="Route to a venue…", permissions=["route"])
    def route_to_a_venue(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase | None:
        return self._propose(request, Operation.ROUTE, queryset)

    @admin.action(description="Retry now…", permissions=["retry"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase | None:
        return self._propose(request, Operation.RETRY, queryset)

    @admin.action(description="Cancel…", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase | None:
        return self._propose(request, Operation.CANCEL, queryset)

    @admin.action(description="Clear the review mark…", permissions=["review"])
    def clear_review(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase | None:
        return self._propose(request, Operation.CLEAR_REVIEW, queryset)

    def _propose(
        self, request: HttpRequest, operation: Operation, orders: QuerySet[Order]
    ) -> HttpResponseBase | None:
        assert isinstance(request.user, User)  # noqa: S101 - the console lets nobody else in
        try:
            action = bulk.propose(operation, orders, user=request.user)
        except Refused as refusal:
            self.message_user(request, f"Nothing was done: {refusal}.", messages.ERROR)
            return None
        return redirect("admin:routing_bulkaction_change", action.pk)
