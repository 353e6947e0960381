"""The console's page of messages that could not be taken."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html

from consumers import token
from consumers.models import RejectedMessage
from consumers.readable import readable
from orders.admin.read_only import ReadOnlyAdmin


@admin.register(RejectedMessage)
class RejectedMessageAdmin(ReadOnlyAdmin):
    list_display = ("message_id", "reason", "short_error", "order_id", "queue", "attempts", "rejected_at")
    list_filter = ("reason", "queue", "rejected_at")
    search_fields = ("message_id__startswith", "order_id__startswith")
    search_help_text = "The beginning of a message id or an order id"
    fields = (
        ("message_id", "queue"),
        ("reason", "attempts"),
        "error",
        ("order_id", "rejected_at"),
        "content_type",
        "readable_headers",
        "readable_body",
    )
    readonly_fields = ("readable_headers", "readable_body")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedMessage]:
        """Without bodies, which may be large: the list does not show them."""
        return super().get_queryset(request).defer("body", "headers")

    @admin.display(description="error")
    def short_error(self, message: RejectedMessage) -> str:
        return truncatechars(message.error, 120)

    @admin.display(description="headers")
    def readable_headers(self, message: RejectedMessage) -> str:
        """Without the token, which whoever reads on could send again."""
        headers = dict(message.headers)
        if token.HEADER in headers:  # compares no guess: a header's name
            headers[token.HEADER] = token.discreet(headers[token.HEADER])
        return json.dumps(headers, ensure_ascii=False)

    @admin.display(description="body")
    def readable_body(self, message: RejectedMessage) -> Any:
        body = bytes(message.body)
        return format_html("{} bytes<pre>{}</pre>", f"{len(body):,}", readable(body))
