"""What is asked of whoever does something to the service."""

from __future__ import annotations

from django import forms


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        help_text="Stands in the audit, with your name.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
