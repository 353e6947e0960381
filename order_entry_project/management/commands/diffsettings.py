"""`manage.py diffsettings`: Django's own, without secrets."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import diffsettings

from order_entry_project.redaction import redacted


class Command(diffsettings.Command):
    def handle(self, **options: Any) -> str:
        return redacted(super().handle(**options))
