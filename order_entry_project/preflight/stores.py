"""The key-value stores: whether they answer, are set up as they must be, and keep a record that ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import partial

from django.conf import settings
from django.db import connection

from order_entry_project.preflight import endpoint
from order_entry_project.preflight.endpoint import Endpoint
from order_entry_project.preflight.finding import Finding, failed, first_line, ok, warning
from order_entry_project.preflight.run import Check
from orders.stores.choice import open_store
from orders.stores.port import Record, Store, StoreUnavailable
from orders.stores.postgresql import run_in_django

# Where each is named.
_KEYS = {"aerospike": "aerospike.seed_hosts", "redis": "redis.url", "postgresql": "cache.store"}
_LIFE = 60  # seconds, should its removal not get through


def checks() -> list[Check]:
    """Cache and idempotency marks may have one each, or share it."""
    config = settings.CONFIG
    uses: dict[str, list[str]] = {}
    for use, name in (("cache", config.cache_store), ("idempotency marks", config.idempotency_store)):
        uses.setdefault(name, []).append(use)
    return [
        Check(f"store {name}", _KEYS[name], partial(_findings, name, " and ".join(for_what)))
        for name, for_what in uses.items()
    ]


def _findings(name: str, uses: str, patience: float) -> Iterator[Finding]:
    key = _KEYS[name]
    yield from _reached(name, patience)
    store = open_store(name, run=run_in_django)
    try:
        for shortcoming in store.check():
            yield warning(
                key,
                shortcoming,
                expected="a store set up for records that end, in as many copies as configured",
                advice="change it at the store, or the configuration where that asks for too much",
            )
        _keep_and_forget(store)
        yield ok(key, f"{uses}: a record that ends is written, read and removed")
    except StoreUnavailable as error:
        yield failed(
            key,
            f"{uses}: {first_line(error)}",
            expected=f"a store that keeps a record for {_LIFE} s",
            advice="start it, or correct the section; orders are taken without it, only more slowly",
        )
    finally:
        store.close()
        connection.close()


def _keep_and_forget(store: Store) -> None:
    """Raises `StoreUnavailable` unless it does both."""
    key = f"preflight:{socket.gethostname()}.{os.getpid()}"
    store.write([Record(key, {"value": "preflight"}, version=1, ttl=_LIFE)])
    try:
        if key not in store.read([key]):
            raise StoreUnavailable("what was written a moment ago is not there")
    finally:
        store.remove([key])


def _reached(name: str, patience: float) -> Iterator[Finding]:
    """Its servers one by one: of several the store itself misses none that is away."""
    config = settings.CONFIG
    if name == "redis" and config.redis.url.startswith("rediss:"):
        yield from endpoint.look(_KEYS[name], config.redis.url, config.redis, patience / 2)
    if name == "aerospike":
        yield from _nodes(patience / 2 / len(config.aerospike.hosts))


def _nodes(patience: float) -> Iterator[Finding]:
    key, config = _KEYS["aerospike"], settings.CONFIG.aerospike
    try:
        tls = endpoint.tls_context(config) if config.tls else None
    except OSError as error:
        yield endpoint.unusable(key, error)
        return
    for host in config.hosts:
        yield from endpoint.connect(Endpoint(key, host.host, host.port, tls, host.tls_name), patience)
