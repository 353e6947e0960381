from __future__ import annotations

from django import forms


class RouteByHandForm(forms.Form):
    """A person's decision: where to, and why."""

    route = forms.CharField(
        label="Venue",
        max_length=255,
        help_text="Any venue; those of late are offered while you type.",
        widget=forms.TextInput(attrs={"list": "venues", "class": "vTextField", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        max_length=1000,
        help_text="Stands in the order's history, with your name.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )
