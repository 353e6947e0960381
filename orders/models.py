"""The order book: what an order is, and what has happened to it.

Rows on the hot path are written by the set-based statements in `book.py` and, in `routing`, `dispatch.py`;
the constraints here hold whoever writes. A claim is a UUID and an end: whoever routes an order holds it.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.fields import ExactJSONField, KeyField
from orders.lifecycle import Event, Status
from orders.scopes import Scope


class Side(models.TextChoices):
    BUY = "BUY"
    SELL = "SELL"


class Order(models.Model):
    order_id = KeyField("order id", primary_key=True, max_length=64)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = models.DecimalField(max_digits=20, decimal_places=8)
    price = models.DecimalField(max_digits=20, decimal_places=8)
    counterparty = models.CharField(max_length=64, null=True)
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


class StoreRecord(models.Model):
    """The embedded key-value store: cache, idempotency marks and offsets where no Aerospike or Redis is named."""

    key = KeyField(primary_key=True, max_length=255)
    bins = models.JSONField()
    version = models.BigIntegerField(db_default=0, help_text="a lower one never overwrites a higher one")
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "store_records"
        indexes: ClassVar = [
            # Deletes what has expired, a bounded number at a time.
            models.Index("expires_at", name="store_records_expiry", condition=Q(expires_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.key


class Halt(models.Model):
    """Routing stopped by a person: for everything, for a symbol, or for a counterparty."""

    symbol = models.CharField(max_length=32, null=True, blank=True)
    counterparty = models.CharField(max_length=64, null=True, blank=True)
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


class ApiToken(models.Model):
    """Opens the API to whoever holds it; only its hash is kept. Rows stay after its end, for the record."""

    name = models.CharField(max_length=64, help_text="what it is for; among living tokens no other has it")
    prefix = models.CharField(max_length=16, help_text="its first characters, to recognise it by")
    # Of 256 random bits: nothing could be gained by salting or stretching it.
    digest = models.BinaryField(unique=True, editable=False, help_text="SHA-256 of the token")
    scopes = ArrayField(models.CharField(max_length=16, choices=[(s.value, s.value) for s in Scope]))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="api_tokens",
        help_text="whose rights bound it; empty: a service's own",
    )
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=150)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, help_text="to the minute")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=150, db_default="")

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        default_permissions = ("view", "add", "revoke")
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], name="api_tokens_name_unique", condition=Q(revoked_at__isnull=True)
            ),
            models.CheckConstraint(
                name="api_tokens_scopes_known",
                condition=Q(scopes__contained_by=[scope.value for scope in Scope]) & Q(scopes__len__gt=0),
            ),
            models.CheckConstraint(
                name="api_tokens_revoked_by_someone",
                condition=Q(revoked_at__isnull=True, revoked_by="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_by=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class KeptAnswer(models.Model):
    """What a request with an `Idempotency-Key` was answered, written by the transaction that did what it asked."""

    pk = models.CompositePrimaryKey("caller", "key")
    caller = models.CharField(max_length=150)
    key = models.CharField(max_length=255)
    digest = models.BinaryField(help_text="SHA-256 of method, path and body")
    status = models.IntegerField(default=0)
    location = models.TextField(default="")
    body = models.TextField(default="")
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "kept_answers"
        default_permissions = ()
        indexes: ClassVar = [models.Index("expires_at", name="kept_answers_expiry")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
