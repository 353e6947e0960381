"""The audit of routing: every attempt and every decision; and what people asked for.

An order's accepted row of `order_routes` is also its outbox.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.models import Order
from routing.operations import Operation


class Outcome(models.TextChoices):
    ACCEPTED = "ACCEPTED"  # the router named a route
    REFUSED = "REFUSED"  # the router answered, and that was no route
    UNREACHABLE = "UNREACHABLE"  # the request did not reach the router, or the router says it did nothing
    UNKNOWN = "UNKNOWN"  # the request went out and no answer came back
    LATE = "LATE"  # an answer for a claim that was no longer held
    MANUAL = "MANUAL"  # a person decided


# An order has one such route at most, and that is the one it was sent to.
ROUTED_BY = (Outcome.ACCEPTED, Outcome.MANUAL)


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
                condition=Q(outcome__in=ROUTED_BY),
            ),
            models.CheckConstraint(
                name="order_routes_outcome_known", condition=Q(outcome__in=Outcome.values)
            ),
            models.CheckConstraint(
                name="order_routes_accepted_has_route",
                condition=~Q(outcome__in=ROUTED_BY) | Q(route__isnull=False),
            ),
            models.CheckConstraint(
                name="order_routes_manual_has_reason", condition=~Q(outcome=Outcome.MANUAL) | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} #{self.attempt} {self.outcome}"


class RouteApproval(models.Model):
    """A manual route above the four-eyes limit, and what a second person said to it."""

    class Decision(models.TextChoices):
        APPROVED = "APPROVED"
        DECLINED = "DECLINED"

    id = models.UUIDField(primary_key=True, default=uuid4)
    order = models.ForeignKey(Order, models.PROTECT, related_name="approvals", db_index=False)
    route = models.CharField(max_length=255)
    reason = models.TextField()
    notional = models.DecimalField(max_digits=40, decimal_places=16, help_text="quantity times price")
    requested_by = models.CharField(max_length=150, help_text="who asked: a user, or a token")
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="the person behind that, who may not approve; empty: a service",
    )
    requested_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    decision = models.CharField(max_length=16, choices=Decision.choices, null=True)
    decided_by = models.CharField(max_length=150, db_default="")
    decided_at = models.DateTimeField(null=True)
    remark = models.TextField(db_default="", help_text="of who decided")

    class Meta:
        db_table = "route_approvals"
        verbose_name = "route waiting for approval"
        verbose_name_plural = "routes waiting for approval"
        default_permissions = ("view",)
        permissions: ClassVar = [("approve_route", "Can approve routes that others asked for")]
        ordering: ClassVar = ["-requested_at", "id"]
        indexes: ClassVar = [
            # What waits, oldest first. Mostly empty.
            models.Index("requested_at", name="route_approvals_waiting", condition=Q(decision__isnull=True)),
            models.Index("order", name="route_approvals_order"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="route_approvals_say_where_and_why", condition=~Q(route="") & ~Q(reason="")
            ),
            models.CheckConstraint(
                name="route_approvals_decided_by_someone",
                condition=Q(decision__isnull=True, decided_at__isnull=True, decided_by="")
                | Q(decision__isnull=False, decided_at__isnull=False) & ~Q(decided_by=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} to {self.route}"


class BulkAction(models.Model):
    """One operation on the orders that a person chose: first proposed, then decided, then done piece by piece."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    operation = models.CharField(max_length=16, choices=Operation.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True, help_text="empty: the person is still looking at it")
    route = models.CharField(max_length=255, db_default="", help_text="the venue")
    reason = models.TextField(db_default="")

    class Meta:
        db_table = "bulk_actions"
        verbose_name = "action on orders"
        verbose_name_plural = "actions on orders"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("retry_order", "Can have orders retried"),
            ("cancel_order", "Can cancel orders"),
            ("execute_order", "Can report orders as executed"),
            ("review_order", "Can clear review marks"),
        ]
        ordering: ClassVar = ["-proposed_at", "id"]
        indexes: ClassVar = [models.Index("proposed_at", name="bulk_actions_proposed")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="bulk_actions_decided_with_reason", condition=Q(decided_at__isnull=True) | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_operation_display()}, proposed {self.proposed_at:%Y-%m-%d %H:%M:%S}"


class BulkActionOrder(models.Model):
    """One order of it, and what became of that."""

    class Effect(models.TextChoices):
        REFUSED = "REFUSED"
        ASKED = "ASKED", "Waits for approval"
        UNCHANGED = "UNCHANGED"
        DONE = "DONE"

    pk = models.CompositePrimaryKey("action_id", "order_id")
    # The primary key begins with action_id and serves this foreign key.
    action = models.ForeignKey(BulkAction, models.CASCADE, related_name="orders", db_index=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="+", db_index=False)
    effect = models.CharField(max_length=16, choices=Effect.choices, null=True, help_text="empty: not yet")
    said = models.TextField(db_default="", help_text="what became of it, or why nothing did")

    class Meta:
        db_table = "bulk_action_orders"
        default_permissions = ()
        ordering: ClassVar = ["action_id", "order_id"]

    def __str__(self) -> str:
        return f"{self.order_id} {self.effect}"
