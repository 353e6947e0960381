"""The embedded store's table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from orders.fields import KeyField


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
