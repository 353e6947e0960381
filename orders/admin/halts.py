"""The console's page of halts."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.read_only import ReadOnlyAdmin
from orders.models import Halt


@admin.register(Halt)
class HaltAdmin(ReadOnlyAdmin):
    list_display = ("what", "reason", "actor", "since", "until", "lifted_at", "lifted_by")
    sortable_by = ()
    fields = (("symbol", "counterparty"), "reason", ("actor", "since", "until"), ("lifted_at", "lifted_by"))

    @admin.display(description="halted")
    def what(self, halt: Halt) -> str:
        return halt.symbol or halt.counterparty or "everything"
