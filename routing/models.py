"""The audit of routing: every attempt and every decision. The accepted row is also the outbox of its order."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.models import Order


class Outcome(models.TextChoices):
    ACCEPTED = "ACCEPTED"  # the router named a route
    REFUSED = "REFUSED"  # the router answered, and that was no route
    UNREACHABLE = "UNREACHABLE"  # the request did not reach the router, or the router says it did nothing
    UNKNOWN = "UNKNOWN"  # the request went out and no answer came back
    LATE = "LATE"  # an answer for a claim that was no longer held
    MANUAL = "MANUAL"  # a person decided


class OrderRoute(models.Model):
    id = models.UUIDField(primary_key=True, help_text="of the attempt, made before the call")
    # The unique constraint begins with order_id and serves the foreign key.
    order = models.ForeignKey(Order, models.PROTECT, related_name="routes", db_index=False)
    attempt = models.IntegerField(help_text="1, 2, 3, … per order")
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    route = models.CharField(max_length=255, null=True)
    endpoint = models.CharField(max_length=255, db_default="")
    http_status = models.IntegerField(null=True)
    latency_ms = models.FloatField(null=True)
    stages_ms = ArrayField(
        models.FloatField(), null=True, help_text="how long each stage before the call took, see ledger.py"
    )
    error = models.TextField(db_default="")
    decided_by = models.CharField(max_length=150)
    reason = models.TextField(db_default="")
    decided_at = models.DateTimeField(db_default=Now())
    publish_after = models.DateTimeField(null=True, help_text="when the relay may publish it; null: never")
    published_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "order_routes"
        ordering: ClassVar = ["order_id", "attempt"]
        indexes: ClassVar = [
            # The relay: what is to be published, oldest first. Empty in good times.
            models.Index(
                "publish_after",
                name="order_routes_unpublished",
                condition=Q(published_at__isnull=True, publish_after__isnull=False),
            ),
            # The console's throughput and latency. Costs the hot path nothing, and leaves updates HOT.
            BrinIndex(
                fields=["decided_at"], name="order_routes_decided_at", pages_per_range=32, autosummarize=True
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "attempt"], name="order_routes_attempt_once"),
            models.UniqueConstraint(
                fields=["order"],
                name="order_routes_one_accepted",
                condition=Q(outcome__in=["ACCEPTED", "MANUAL"]),
            ),
            models.CheckConstraint(
                name="order_routes_outcome_known", condition=Q(outcome__in=Outcome.values)
            ),
            models.CheckConstraint(
                name="order_routes_accepted_has_route",
                condition=~Q(outcome__in=["ACCEPTED", "MANUAL"]) | Q(route__isnull=False),
            ),
            models.CheckConstraint(
                name="order_routes_manual_has_reason", condition=~Q(outcome="MANUAL") | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} #{self.attempt} {self.outcome}"
