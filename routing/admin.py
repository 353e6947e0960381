"""The console's pages of orders with their routes, and of what people do with them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from orders.admin.order import OrderAdmin
from orders.models import Order
from routing.console import approval_page, bulk_page
from routing.console.actions import OrderActions
from routing.console.filters import UnpublishedFilter
from routing.console.order_page import OrderPage

__all__ = ["RoutableOrderAdmin", "approval_page", "bulk_page"]


@admin.register(Order)
class RoutableOrderAdmin(OrderActions, OrderPage, OrderAdmin):
    list_filter: ClassVar[Any] = (*OrderAdmin.list_filter, UnpublishedFilter)
