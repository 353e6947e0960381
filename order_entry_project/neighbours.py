"""One check for each neighbour of the service, for `health.py`.

Each runs in a thread of its own, closes what it opened, and says in one line why it failed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import psycopg
from django.conf import settings
from django.db import Error, connection
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

import orders.sql
from consumers.amqp_greeting import greet
from consumers.models import QueueMessage
from order_entry_project.preflight.finding import first_line
from orders.stores.choice import open_store
from orders.stores.port import StoreUnavailable
from orders.stores.postgresql import run_in_django
from routing.registry import Registry, RegistryUnavailable

logger = logging.getLogger(__name__)

# The library grants a check one second more than its timeout: one second in all.
_TIMEOUT = timedelta(0)
_PATIENCE = 0.8  # seconds; for all brokers together
TAKES_NO_WRITES = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool"


@dataclass
class Sql(HealthCheck):  # type: ignore[misc]
    """PostgreSQL answers and takes writes. Asked beside the pool, which may wait too long for a connection."""

    timeout = _TIMEOUT

    def run(self) -> None:
        sql = orders.sql.Sql(patience=_PATIENCE)
        try:
            answer = sql.connected().execute(TAKES_NO_WRITES).fetchone()
        except psycopg.Error as error:
            raise ServiceUnavailable(first_line(error)) from error
        finally:
            sql.close()
        if answer != (False,):
            raise ServiceUnavailable("it takes no writes")


@dataclass
class Queue(HealthCheck):  # type: ignore[misc]
    """The broker lets this service in; the embedded queue can be read."""

    timeout = _TIMEOUT

    def run(self) -> None:
        try:
            if settings.CONFIG.mq.embedded:
                QueueMessage.objects.exists()
            else:
                greet(_PATIENCE)
        except (Error, AMQPError, AMQPConnectorException, OSError, ValueError) as error:
            raise ServiceUnavailable(first_line(error)) from error
        finally:
            connection.close()


@dataclass
class StatusStore(HealthCheck):  # type: ignore[misc]
    """The store of the status cache answers. What is wrong with its set-up is a warning, said once."""

    timeout = _TIMEOUT
    said: ClassVar[set[str]] = set()

    def run(self) -> None:
        try:
            findings = set(open_store(settings.CONFIG.cache_store, run=run_in_django).check())
            for finding in sorted(findings - self.said):
                logger.warning("%s", finding)
            self.said.update(findings)
        except StoreUnavailable as error:
            raise ServiceUnavailable(first_line(error)) from error
        finally:
            connection.close()


@dataclass
class ServiceRegistry(HealthCheck):  # type: ignore[misc]
    """The registry knows the router."""

    timeout = _TIMEOUT

    def run(self) -> None:
        config = settings.CONFIG.service_registry
        registry = Registry.from_settings(timeout=min(config.timeout, _PATIENCE))
        try:
            registry.lookup_once(config.router_service)
        except RegistryUnavailable as error:
            raise ServiceUnavailable(first_line(error)) from error
        finally:
            registry.close()
