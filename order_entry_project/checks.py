"""What `manage.py check` refuses: configurations that can be read but not served."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name

from consumers import amqp10_extra, amqp_versions
from consumers.amqp10_extra import Amqp10Unavailable

_SAFEGUARD_HINTS = {
    "host": "Set it to the appliance's host, as its certificate names it.",
    "client_cert": "Set it to the PEM file of the certificate user that the A2A registration names.",
}


@register(Tags.compatibility)
def safeguard(**_: Any) -> list[CheckMessage]:
    """What is asked of Safeguard cannot be had of it without these."""
    config = settings.CONFIG
    wanted = {
        "sql_api_key": config.database.credentials_source == "safeguard",
        "mq_api_key": config.safeguard.mq_api_key is not None,
        "token_api_key": config.idempotency.credentials_source == "safeguard",
    }
    needed = [name for name, is_wanted in wanted.items() if is_wanted]
    if needed:
        needed = ["host", "client_cert", *needed]
    return [
        Error(
            f"safeguard.{name} is not set, but Safeguard is to give credentials.",
            hint=_SAFEGUARD_HINTS.get(
                name, "Keep API keys out of the file: ORDER_ENTRY__SAFEGUARD__" + name.upper()
            ),
            id="order_entry.E002",
        )
        for name in needed
        if getattr(config.safeguard, name) is None
    ]


@register(Tags.compatibility)
def amqp10(**_: Any) -> list[CheckMessage]:
    """`amqp10://` asks for a package that is an extra."""
    if not amqp_versions.is_given(settings.CONFIG.mq.broker_url):
        return []
    try:
        amqp10_extra.require()
    except Amqp10Unavailable as error:
        return [Error(f"mq.broker_url: {error}", id="order_entry.E004")]
    return []


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


@register(Tags.security, deploy=True)
def proxies(**_: Any) -> list[CheckMessage]:
    if not settings.CONFIG.api.https_only or settings.CONFIG.api.trusted_proxies:
        return []
    return [
        Warning(
            "api.https_only is set and api.trusted_proxies names none: nobody is believed who says https, "
            "and each is redirected there, for ever.",
            hint="Name the networks of the proxies that speak TLS.",
            id="order_entry.W002",
        )
    ]
