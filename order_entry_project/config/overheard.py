"""Secrets that a configuration would send over the network for all to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from order_entry_project.config.tls import is_local

if TYPE_CHECKING:
    from order_entry_project.config.whole import Config


def overheard(config: Config) -> Iterator[str]:
    """What would be, with what to set against it. The sections `safeguard` and `telemetry` do not allow it."""
    if _broker(config):
        yield "mq: the broker's password goes with an amqps:// broker_url, or a client_cert"
    if _database(config):
        yield "database: the password goes with sslmode require or verify-full"
    if _redis(config):
        yield "redis: the password goes with a rediss:// url"
    if _registry(config):
        yield "service_registry: the token goes with an https:// endpoint"


def _broker(config: Config) -> bool:
    mq, url = config.mq, urlsplit(config.mq.broker_url)
    if mq.embedded or mq.tls or all(is_local(broker.hostname or "") for broker in mq.addresses):
        return False
    return bool(url.password or mq.password or mq.password_file or config.safeguard.mq_api_key)


def _database(config: Config) -> bool:
    database = config.database
    has_password = database.sql_password or database.credentials_source != "environment"
    return bool(has_password and database.tls_mode == "disable" and not is_local(database.sql_host))


def _redis(config: Config) -> bool:
    url = urlsplit(config.redis.url)
    has_password = url.password or config.redis.password
    return bool(has_password and url.scheme == "redis" and not is_local(url.hostname or ""))


def _registry(config: Config) -> bool:
    registry = config.service_registry
    url = urlsplit(registry.endpoint if "://" in registry.endpoint else f"http://{registry.endpoint}")
    has_token = registry.token or registry.token_file
    return bool(has_token and url.scheme == "http" and not is_local(url.hostname or ""))
