"""What the queue side keeps in SQL: messages that could not be taken, and the embedded queue."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orders.fields import KeyField
from orders.names import LONGEST_ORDER_ID


class Reason(models.TextChoices):
    """Why a message was rejected. The text that comes with it says what exactly."""

    UNREADABLE = "UNREADABLE"  # not the JSON or Avro it says it is
    MISSING_FIELD = "MISSING_FIELD"
    BAD_VALUE = "BAD_VALUE"
    TOO_LARGE = "TOO_LARGE"
    BAD_TOKEN = "BAD_TOKEN"  # noqa: S105 - not genuine, not proven to be though that is required, or too old
    CONFLICT = "CONFLICT"  # the same orderId with other content
    POISON = "POISON"  # decodes, but cannot be stored


class State(models.TextChoices):
    """What has become of a rejected message."""

    WAITING = "WAITING"  # for a person; with a decision, it was replayed and rejected again
    REPLAYED = "REPLAYED"  # sent again, itself or an edited copy
    DISCARDED = "DISCARDED"


class RejectedMessage(models.Model):
    """A message that could not be taken, whole, so that nothing vanishes. What came is never changed or deleted."""

    queue = models.CharField(max_length=255)
    message_id = models.CharField(max_length=255)
    body = models.BinaryField()
    body_hash = models.BinaryField(help_text="SHA-256 of the body")
    content_type = models.CharField(max_length=255, db_default="")
    headers = models.JSONField(default=dict)
    order_id = models.CharField(max_length=LONGEST_ORDER_ID, null=True, help_text="where it could be read")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    fault = models.CharField(
        max_length=255,
        db_default="",
        help_text="the field at fault, as price or legs.0.ratio; empty: the whole",
    )
    error = models.TextField()
    attempts = models.IntegerField(db_default=1, help_text="times it was delivered and rejected")
    rejected_at = models.DateTimeField(db_default=Now(), help_text="for the last time")
    state = models.CharField(max_length=16, choices=State.choices, db_default=State.WAITING)
    decided_at = models.DateTimeField(null=True, help_text="when it was replayed or discarded last")
    decided_by = models.CharField(max_length=150, db_default="")
    decision_reason = models.TextField(db_default="")
    replayed_as = models.CharField(max_length=255, db_default="", help_text="the id it was sent under")

    class Meta:
        db_table = "rejected_messages"
        default_permissions = ("view", "replay", "discard")
        ordering: ClassVar = ["-rejected_at", "-id"]
        indexes: ClassVar = [
            # The console's groups: how many of a reason wait, since when. Nothing but the index is read.
            models.Index(
                "reason",
                "rejected_at",
                name="rejected_messages_waiting",
                condition=Q(state=State.WAITING),
                include=["queue", "fault"],
            ),
            # The console's list, of one state or of all.
            models.Index("state", F("rejected_at").desc(), F("id").desc(), name="rejected_messages_listed"),
            models.Index(F("rejected_at").desc(), F("id").desc(), name="rejected_messages_latest"),
            # Its search by the beginning of an id.
            models.Index(OpClass("message_id", "varchar_pattern_ops"), name="rejected_messages_message_id"),
            models.Index(
                OpClass("order_id", "varchar_pattern_ops"),
                name="rejected_messages_order_id",
                condition=Q(order_id__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["queue", "message_id", "body_hash"], name="rejected_messages_once"
            ),
            models.CheckConstraint(
                name="rejected_messages_reason_known", condition=Q(reason__in=Reason.values)
            ),
            models.CheckConstraint(name="rejected_messages_state_known", condition=Q(state__in=State.values)),
            models.CheckConstraint(
                name="rejected_messages_decided_by_someone",
                condition=Q(state=State.WAITING) | Q(decided_at__isnull=False) & ~Q(decided_by=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.message_id} {self.reason}"


class QueueMessage(models.Model):
    """A message of the embedded queue. `consumer` names the session that holds it; see postgres_queue.py."""

    queue = models.CharField(max_length=255)
    body = models.BinaryField()
    message_id = models.CharField(max_length=255, null=True)
    correlation_id = models.CharField(max_length=255, null=True)
    content_type = models.CharField(max_length=255, null=True)
    headers = models.JSONField(default=dict)
    consumer = models.IntegerField(null=True)
    deliveries = models.IntegerField(db_default=0)
    enqueued_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "queue_messages"
        indexes: ClassVar = [
            # Taking: the oldest free messages of a queue.
            models.Index("queue", "id", name="queue_messages_free", condition=Q(consumer__isnull=True)),
            # Giving back what a dead session held.
            models.Index("consumer", name="queue_messages_held", condition=Q(consumer__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.id}"


class DeliveryAttempt(models.Model):
    """How often a redelivered message has been tried, counted before it is decoded: it may end the process."""

    queue = models.CharField(max_length=255)
    message_id = models.CharField(max_length=255)
    body_hash = models.BinaryField(help_text="SHA-256 of the body")
    attempts = models.IntegerField(db_default=1)
    tried_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "delivery_attempts"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["queue", "message_id", "body_hash"], name="delivery_attempts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.message_id} {self.attempts}"


class WorkerState(models.Model):
    """What a worker last said of its breakers: they are each worker's own, and the console asks for all of them."""

    TOLD_EVERY: ClassVar[float] = 5.0  # seconds, while nothing changes

    worker = KeyField(primary_key=True, max_length=150, help_text="service@host:process")
    breakers = models.JSONField(help_text="how each neighbour's breaker stands: closed, half-open or open")
    seen_at = models.DateTimeField(db_default=Now(), help_text="when it said so")

    class Meta:
        db_table = "worker_states"
        default_permissions = ()
        ordering: ClassVar = ["worker"]

    def __str__(self) -> str:
        return self.worker
