"""The service registry: where the router is."""

from __future__ import annotations

import threading
from typing import Self

from tenacity import (
    Retrying,
    retry_if_not_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from routing.registries.choice import configured
from routing.registries.service import Instance, RegistryUnavailable, Service, ServiceUnknown, Source

__all__ = ["Instance", "Registry", "RegistryUnavailable", "Service", "ServiceUnknown"]

ATTEMPTS = 3


class Registry:
    """Look-ups: `registry.lookup("order-router").endpoint`, or all its `.instances`. For one thread at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @classmethod
    def from_settings(cls, *, timeout: float | None = None) -> Self:
        """As configured, but for the time that one answer may take, seconds."""
        return cls(configured(timeout=timeout))

    @property
    def where(self) -> str:
        """What is asked, for people."""
        return self._source.where

    def lookup(self, name: str, *, stopping: threading.Event | None = None) -> Service:
        """Where `name` is, after at most three attempts with exponential backoff and jitter between them.

        `stopping`, once set, ends the waiting and the attempts.
        Raises `RegistryUnavailable`, or at once `ServiceUnknown`.
        """
        stopping = stopping or threading.Event()
        attempts = Retrying(
            stop=stop_any(stop_after_attempt(ATTEMPTS), stop_when_event_set(stopping)),
            wait=wait_random_exponential(multiplier=0.2, min=0.1, max=2),
            sleep=sleep_using_event(stopping),
            retry=retry_if_not_exception_type(ServiceUnknown),
            reraise=True,
        )
        return attempts(self._source.ask, name)

    def lookup_once(self, name: str) -> Service:
        """The same in one attempt."""
        return self._source.ask(name)

    def close(self) -> None:
        self._source.close()
