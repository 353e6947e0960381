"""What `manage.py check` refuses: configurations that can be read but not served."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name


@register(Tags.compatibility)
def unsupported(**_: Any) -> list[CheckMessage]:
    """Keys that are understood but have nothing behind them in this version."""
    if settings.CONFIG.database.credentials_source != "safeguard":
        return []
    return [
        Error(
            "database.credentials_source: safeguard is not supported yet.",
            hint="Set it to environment, with database.sql_user and database.sql_password.",
            id="order_entry.E002",
        )
    ]


@register(Tags.security, deploy=True)
def signing_key(**_: Any) -> list[CheckMessage]:
    if settings.CONFIG.api.secret_key:
        return []
    return [
        Error(
            "api.secret_key is not set: every restart ends all sessions, replicas do not share them.",
            hint="Set ORDER_ENTRY__API__SECRET_KEY to 50 random characters, the same for all replicas.",
            id="order_entry.E003",
        )
    ]


@register(Tags.security, deploy=True)
def transport_security(**_: Any) -> list[CheckMessage]:
    if settings.CONFIG.api.https_only:
        return []
    return [
        Warning(
            "api.https_only is false: passwords and sessions of the console travel unencrypted.",
            hint="Set it to true behind a proxy that speaks TLS.",
            id="order_entry.W001",
        )
    ]
