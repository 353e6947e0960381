"""The record of what people did to the service itself: who, when, what, why. Orders have their events for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orders.models import AuditEntry


def record(*, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Write one entry, for good. `action` as area.verb; `detail` is JSON, its `reason` says why."""
    AuditEntry.objects.create(actor=actor, action=action, subject=subject, detail=dict(detail))


def record_each(*, actor: str, action: str, details: Mapping[str, Mapping[str, Any]]) -> None:
    """One entry for each subject, with its detail."""
    AuditEntry.objects.bulk_create(
        AuditEntry(actor=actor, action=action, subject=subject, detail=dict(detail))
        for subject, detail in details.items()
    )
