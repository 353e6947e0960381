"""The order book: what an order is, and what has happened to it.

Rows on the hot path are written by set-based statements: `orders.book` enters orders; `routing.claims` and
`routing.decisions` take them and say what became of them. The constraints here hold whoever writes. A claim is a UUID
and an end: whoever routes an order holds it.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.fields import ExactJSONField, KeyField
from orders.lifecycle import Event, Status
from orders.names import LONGEST_COUNTERPARTY, LONGEST_ORDER_ID, LONGEST_SYMBOL


class Side(models.TextChoices):
    BUY = "BUY"
    SELL = "SELL"


class Order(models.Model):
    order_id = KeyField("order id", primary_key=True, max_length=LONGEST_ORDER_ID)
    symbol = models.CharField(max_length=LONGEST_SYMBOL)
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = models.DecimalField(max_digits=20, decimal_places=8)
    price = models.DecimalField(max_digits=20, decimal_places=8)
    counterparty = models.CharField(max_length=LONGEST_COUNTERPARTY, null=True)
    created_at = models.DateTimeField(help_text="as the sender says, else the time of receipt")
    extra = ExactJSONField(db_default="{}", help_text="fields this service does not know, as received")
    message_id = models.CharField(
        max_length=255, help_text="of the message or request that brought the order"
    )
    digest = models.BinaryField(help_text="SHA-256 over the content, see schema.py")
    traceparent = models.CharField(
        max_length=55, null=True, help_text="W3C trace context that whatever becomes of the order belongs to"
    )

    status = models.CharField(max_length=16, choices=Status.choices)
    route = models.CharField(max_length=255, null=True)
    routed_at = models.DateTimeField(null=True)
    needs_review = models.BooleanField(db_default=False, help_text="waits for a person")
    review_reason = models.TextField(db_default="")
    version = models.IntegerField(db_default=1, help_text="sequence of the last event")
    attempts = models.IntegerField(db_default=0, help_text="rows of order_routes")
    due_at = models.DateTimeField(null=True, help_text="when the machine routes a parked order again")
    key_number = models.IntegerField(
        db_default=0, help_text="distinguishes the idempotency key of a retry that a person asked for"
    )
    claim = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    placed_at = models.DateTimeField(db_default=Now(), help_text="when this service made it durable")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "orders"
        ordering: ClassVar = ["-created_at", "order_id"]
        permissions: ClassVar = [
            ("route_order", "Can route orders by hand"),
            ("repair_cache", "Can write to the cache what the book says"),
            ("export_order", "Can export orders as CSV"),
        ]
        indexes: ClassVar = [
            # The console's lists of one counterparty's or one symbol's orders, newest first.
            models.Index("counterparty", "created_at", name="orders_by_counterparty"),
            models.Index("symbol", "created_at", name="orders_by_symbol"),
            # Also finds PLACED orders whose claim ran out: there are never more of them than are under way.
            models.Index("status", name="orders_status"),
            models.Index("created_at", name="orders_created_at"),
            # claim_due: parked orders by the time they are due. Costs the hot path nothing.
            models.Index(
                "due_at", name="orders_due", condition=Q(status=Status.PENDING_ROUTE, needs_review=False)
            ),
            # The review list of the console.
            models.Index("updated_at", name="orders_in_review", condition=Q(needs_review=True)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="orders_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="orders_side_known", condition=Q(side__in=Side.values)),
            models.CheckConstraint(name="orders_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="orders_price_positive", condition=Q(price__gt=0)),
            models.CheckConstraint(
                name="orders_routed_has_route",
                condition=~Q(status__in=[Status.ROUTED, Status.EXECUTED])
                | Q(route__isnull=False, routed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="orders_unrouted_has_no_route",
                condition=~Q(status__in=[Status.PLACED, Status.PENDING_ROUTE])
                | Q(route__isnull=True, routed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="orders_pending_is_due_or_in_review",
                condition=~Q(status=Status.PENDING_ROUTE) | Q(due_at__isnull=False) | Q(needs_review=True),
            ),
            models.CheckConstraint(
                name="orders_claim_has_end",
                condition=Q(claim__isnull=True, claimed_until__isnull=True)
                | Q(claim__isnull=False, claimed_until__isnull=False),
            ),
            models.CheckConstraint(
                name="orders_claim_only_to_route",
                condition=Q(claim__isnull=True) | Q(status__in=[Status.PLACED, Status.PENDING_ROUTE]),
            ),
            models.CheckConstraint(
                name="orders_review_has_reason", condition=Q(needs_review=False) | ~Q(review_reason="")
            ),
        ]

    def __str__(self) -> str:
        return self.order_id


class OrderEvent(models.Model):
    """One change of an order's state. Append-only: a trigger refuses anything else."""

    pk = models.CompositePrimaryKey("order_id", "sequence")
    # The primary key begins with order_id and serves the foreign key.
    order = models.ForeignKey(Order, models.PROTECT, related_name="events", db_index=False)
    sequence = models.IntegerField(help_text="1, 2, 3, … without gaps per order")
    event = models.CharField(max_length=16, choices=Event.choices)
    actor = models.CharField(max_length=150, help_text="who: a user, or the part of the machine")
    reason = models.TextField(db_default="", help_text="why")
    at = models.DateTimeField(db_default=Now())
    # Written by a trigger, whatever is given here.
    hash = models.BinaryField(
        editable=False, help_text="SHA-256 over the content and the hash before, see evidence.py"
    )

    class Meta:
        db_table = "order_events"
        ordering: ClassVar = ["order_id", "sequence"]
        indexes: ClassVar = [
            # The console's throughput. Rows lie in the order of their time: a few bytes for thousands of them.
            BrinIndex(fields=["at"], name="order_events_at", pages_per_range=32, autosummarize=True),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="order_events_event_known", condition=Q(event__in=Event.values)),
            models.CheckConstraint(name="order_events_sequence_from_one", condition=Q(sequence__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.sequence} {self.event}"
