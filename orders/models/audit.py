"""What people did beside orders, and the hashes that prove what happened to orders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """What a person did to the service beside the state of orders. Append-only: a trigger refuses anything else."""

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150, help_text="who")
    action = models.CharField(max_length=64, help_text="what, as area.verb: idempotency.clear")
    subject = models.CharField(max_length=255, help_text="to whom or what: an order id, a user's name")
    detail = models.JSONField(default=dict, help_text="why, and whatever else tells it")

    class Meta:
        db_table = "audit_entries"
        verbose_name_plural = "audit entries"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            # All that was done to one order or user.
            models.Index("subject", name="audit_entries_subject"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_entries_say_who_and_what", condition=~Q(actor="") & ~Q(action="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"


class AuditAnchor(models.Model):
    """All events of a span of time as one hash, to be kept outside the database too; see evidence.py. Append-only."""

    since = models.DateTimeField(null=True, help_text="events from then on; empty: from the beginning")
    until = models.DateTimeField(help_text="events before then")
    events = models.BigIntegerField(help_text="how many there are in this time")
    orders = models.BigIntegerField(help_text="of how many orders")
    root = models.BinaryField(help_text="of the Merkle tree over each of these orders' last hash")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    hash = models.BinaryField(help_text="SHA-256 over all this and the anchor before")

    class Meta:
        db_table = "audit_anchors"
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            # Each goes on where the one before ends: of two that are made at once, one is refused.
            models.UniqueConstraint(fields=["since"], name="audit_anchors_go_on_once", nulls_distinct=False),
            models.CheckConstraint(name="audit_anchors_span_time", condition=Q(until__gt=models.F("since"))),
        ]

    def __str__(self) -> str:
        return f"anchor {self.pk} until {self.until:%Y-%m-%d %H:%M:%S} UTC"
