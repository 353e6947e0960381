"""What a person says to an operation."""

from __future__ import annotations

from typing import Any

from django import forms

from orders.models import Order
from routing.operations import Operation

_LATE_ORDERS = 500


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        help_text="Stands in the order's history, with your name.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class RouteForm(ReasonForm):
    """A person's decision: where to, and why."""

    route = forms.CharField(
        label="Venue",
        max_length=255,
        help_text="Any venue; those of late are offered while you type.",
        widget=forms.TextInput(attrs={"list": "venues", "autocomplete": "off"}),
    )
    field_order = ("route", "reason")


class ApprovalForm(forms.Form):
    remark = forms.CharField(
        max_length=1000,
        required=False,
        help_text="Needed to decline. Stands on record, with your name.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def form_of(operation: Operation, data: Any = None) -> ReasonForm:
    form = RouteForm if operation is Operation.ROUTE else ReasonForm
    return form(data)


def late_venues() -> list[str]:
    """Where the latest orders went."""
    late = Order.objects.order_by("-created_at").values_list("route", flat=True)[:_LATE_ORDERS]
    return sorted({route for route in late if route})
