"""Which store a configuration names, behind a breaker."""

from __future__ import annotations

import os
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from orders.stores.breaker import Breaker
from orders.stores.port import Store
from orders.stores.postgresql import PostgresStore, Run


def open_store(name: str, *, run: Run) -> Breaker:
    """The store called `name` in the configuration. Nothing is connected before it is used.

    `run` serves the embedded one, whose connection is the order book's own and needs no rest. The others are
    shared by all who ask in one process.
    """
    if name == "postgresql":
        return Breaker(PostgresStore(run), first_rest=0)
    return _shared(name, os.getpid())


@cache
def _shared(name: str, process: int) -> Breaker:
    """One for each `process`: after a fork the parent's connections are not to be used."""
    del process
    return Breaker(_remote(name))


def _remote(name: str) -> Store:
    if name == "redis":
        return _redis()
    if name == "aerospike":
        return _aerospike()
    raise ImproperlyConfigured(f"there is no store {name!r}")


def _aerospike() -> Store:
    # Here and in _redis(): a client takes a tenth of a second to import, at the start of every command.
    from orders.stores.aerospike import AerospikeStore, aerospike_tls

    config = settings.CONFIG.aerospike
    hosts: list[tuple[str, int] | tuple[str, int, str]] = (
        [(host.host, host.port, host.tls_name) for host in config.hosts]
        if config.tls
        else [(host.host, host.port) for host in config.hosts]
    )
    return AerospikeStore(
        hosts,
        namespace=config.namespace,
        timeout=_timeout(config.timeout),
        replication_factor=config.replication_factor,
        tls=aerospike_tls(config.ca_cert, config.client_cert, config.client_key) if config.tls else None,
    )


def _redis() -> Store:
    from orders.stores.redis import RedisStore

    config = settings.CONFIG.redis
    return RedisStore(
        config.url,
        timeout=_timeout(config.timeout),
        username=config.username,
        password=config.password.get_secret_value() if config.password else None,
        ca_cert=config.ca_cert,
        client_cert=config.client_cert,
        client_key=config.client_key,
    )


def _timeout(configured: float) -> float:
    """A worker waits in line for its store: no longer than for a router's answer, nor past a heartbeat."""
    return min(configured, settings.CONFIG.router.timeout, settings.CONFIG.mq.heartbeat / 4)
