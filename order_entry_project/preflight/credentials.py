"""Passwords and keys, wherever the configuration says they come from: whether they can be had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from order_entry_project.preflight import endpoint
from order_entry_project.preflight.finding import Finding, Level, failed, first_line, ok
from orders.credentials import CredentialsUnavailable, Source


def findings(patience: float) -> Iterator[Finding]:
    """Safeguard first: without it none of what it keeps can be had."""
    safeguard, sources = settings.CONFIG.safeguard, settings.CREDENTIALS
    if safeguard.host is not None:
        url = f"https://{safeguard.host}"
        for finding in endpoint.look("safeguard.host", url, safeguard, patience / 2):
            yield finding
            if finding.level is Level.FAILED:
                return
    for key, what, source in (
        ("database.credentials_source", "the database's login", sources.sql),
        ("mq.username", "the broker's login", sources.mq),
        ("idempotency.credentials_source", "the token keys", sources.token_keys),
        ("service_registry.token_file", "the registry's token", sources.registry),
    ):
        if source is not None:
            yield _had(key, what, source)


def _had(key: str, what: str, source: Source[Any]) -> Finding:
    try:
        source.current()
    except CredentialsUnavailable as error:
        return failed(
            key,
            f"cannot be had: {first_line(error)}",
            expected="a source that gives it",
            advice="put the file there, or see the registration, its API key and certificate in Safeguard",
        )
    return ok(key, f"{what} can be had")
