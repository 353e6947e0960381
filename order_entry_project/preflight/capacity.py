"""Whether the database lets in as many connections as the deployment may open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
from django.conf import settings

from order_entry_project.preflight.finding import Finding, ok, warning

_WEB_PROCESSES = 2  # gunicorn.conf.py's own, where WEB_CONCURRENCY does not say
# Reserved for superusers and, since PostgreSQL 16, for roles named so.
_ALLOWED = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()))
"""


def findings(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    row = connection.execute(_ALLOWED).fetchone()
    allowed = int(row[0]) if row else 0
    web, worker, instances = _web(), _worker(), settings.CONFIG.service.replicas
    wanted = instances * (web + worker)
    of_one = f"{web} of web processes and {worker} of consumers each"
    said = f"{instances} instances may open {wanted} connections ({of_one}); {allowed} are let in"
    if wanted <= allowed:
        yield ok("database.pool_size", said)
        return
    yield warning(
        "database.pool_size",
        said,
        expected="no more than the server, the database and the role let in",
        advice="raise max_connections (or the role's CONNECTION LIMIT), put a pooler in session mode between, or lower "
        "database.pool_size, WEB_CONCURRENCY, service.processes or service.replicas",
    )


def _web() -> int:
    return int(os.environ.get("WEB_CONCURRENCY", _WEB_PROCESSES)) * settings.CONFIG.database.pool_size


def _worker() -> int:
    """A worker places orders on one and settles them on another.

    Stores that are tables have one, too; so have the embedded queue, and the membership of a group.
    """
    config = settings.CONFIG
    stores = "postgresql" in (config.cache_store, config.idempotency_store)
    shares = len(config.mq.queues) > 1 or config.mq.queue_type == "stream"
    queues = (len(config.mq.queues) if shares else 1) + shares if config.mq.embedded else 0
    return config.service.processes * (2 + stores + queues + shares)
