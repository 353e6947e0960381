"""What a person has stopped."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.names import LONGEST_COUNTERPARTY, LONGEST_SYMBOL


class Halt(models.Model):
    """Routing stopped by a person: for everything, for a symbol, or for a counterparty."""

    symbol = models.CharField(max_length=LONGEST_SYMBOL, null=True, blank=True)
    counterparty = models.CharField(max_length=LONGEST_COUNTERPARTY, null=True, blank=True)
    reason = models.TextField()
    actor = models.CharField(max_length=150)
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(
        null=True, blank=True, help_text="ends by itself then; empty: when it is lifted"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, db_default="", blank=True)

    class Meta:
        db_table = "halts"
        default_permissions = ("view",)
        permissions: ClassVar = [("halt_routing", "Can halt routing, and lift halts")]
        ordering: ClassVar = ["-since", "-id"]
        indexes: ClassVar = [
            # Every claiming statement asks; there are few, and mostly none.
            models.Index("id", name="halts_in_force", condition=Q(lifted_at__isnull=True)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="halts_one_scope", condition=Q(symbol__isnull=True) | Q(counterparty__isnull=True)
            ),
            models.CheckConstraint(name="halts_has_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"halt of {self.symbol or self.counterparty or 'everything'}"
