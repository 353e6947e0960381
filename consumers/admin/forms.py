"""What is asked of a person who mends a rejected message."""

from __future__ import annotations

from django import forms

from orders.admin.forms import ReasonForm
from orders.schema import MAX_BODY


class EditForm(ReasonForm):
    body = forms.CharField(
        label="Message",
        strip=False,
        max_length=MAX_BODY,
        help_text="JSON. It is sent in the place of what came, which is kept as it is.",
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "console-code"}),
    )
    field_order = ["body", "reason"]

    @property
    def sent(self) -> bytes:
        """The body as it is sent."""
        return str(self.cleaned_data["body"]).replace("\r\n", "\n").strip().encode()
