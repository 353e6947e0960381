"""The console's page of what people did to the service."""

from __future__ import annotations

from django.contrib import admin
from django.template.defaultfilters import truncatechars

from orders.admin.read_only import ReadOnlyAdmin
from orders.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "subject", "why")
    sortable_by = ()
    search_fields = ("subject__startswith",)
    search_help_text = "The beginning of an order id, a user's or a token's name"
    fields = (("at", "actor"), ("action", "subject"), "detail")

    @admin.display(description="why")
    def why(self, entry: AuditEntry) -> str:
        return truncatechars(str(entry.detail.get("reason", "")), 120)
