from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from consumers import batch, quarantine
from consumers.models import Reason, RejectedMessage
from consumers.quarantine import Rejection
from consumers.transport import Delivery
from order_entry_project.secrets.sources import credentials


@pytest.fixture
def reject(sql) -> Callable[..., RejectedMessage]:
    """As a worker does that takes the delivery; the row."""

    def one(came: Delivery, reason: Reason | None = None, **fields: Any) -> RejectedMessage:
        if reason is None:
            taken, _ = batch.decode([batch.Job(came, 0.0)])
            (rejection,) = taken.rejections
        else:
            rejection = Rejection(came, reason, "as a test says", **fields)
        quarantine.quarantine(sql, [rejection])
        return RejectedMessage.objects.get(queue=came.queue, message_id=quarantine.message_id_of(came))

    return one


@pytest.fixture
def with_keys(configure, monkeypatch):
    """Messages need a token, and there are keys to sign one with."""
    configure("idempotency", token_keys={"2026-11": "k" * 40}, require_token=True, max_message_age="1h")
    monkeypatch.setattr(settings, "CREDENTIALS", credentials(settings.CONFIG))
