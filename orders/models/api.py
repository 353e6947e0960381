"""What the API keeps: who may use it without a person, and what it has answered."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.scopes import Scope


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
