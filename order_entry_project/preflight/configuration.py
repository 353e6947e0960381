"""The configuration itself: whether it loads, and what Django's checks for a deployment say of it."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from order_entry_project.config import ConfigError, place
from order_entry_project.preflight.finding import Finding, failed, ok, warning

_WHOLE = "ORDER_ENTRY_CONFIG"
# Of Django's own checks, what its settings are made of here.
_KEYS = {"security.W009": "api.secret_key", "security.W020": "api.allowed_hosts"}


def unusable(error: ConfigError) -> Finding:
    return failed(
        _WHOLE,
        str(error),
        expected="a file in which every key is known and holds what it should",
        advice="correct the keys named; deploy/order-entry.example.yaml is an example",
    )


def findings(patience: float) -> Iterator[Finding]:
    del patience
    yield ok(_WHOLE, f"{place.path() or 'no file: the environment and the defaults'} can be used")
    # Of Django's checks those that the configuration decides; the others are of code, for `manage.py check`.
    tags = [checks.Tags.security, checks.Tags.compatibility]
    found = checks.run_checks(tags=tags, include_deployment_checks=True)
    yield from (_finding(message) for message in found if not message.is_silenced())
    if "*" in settings.CONFIG.api.allowed_hosts:
        yield warning(
            "api.allowed_hosts",
            "requests for any host name are answered",
            expected="the names this service is called by",
            advice="list them instead of *",
        )
    if settings.CONFIG.api.secret_key:
        yield ok("api.secret_key", "is set")


def _finding(message: checks.CheckMessage) -> Finding:
    serious = message.level >= checks.ERROR
    text = " ".join(message.msg.split())
    first = text.partition(" ")[0].rstrip(":")
    key = first if first.count(".") == 1 and first.islower() else _KEYS.get(str(message.id), _WHOLE)
    return (failed if serious else warning)(
        key,
        f"{text} ({message.id})",
        expected="a configuration that manage.py check --deploy has nothing against",
        advice=message.hint or "see what the message says",
    )
