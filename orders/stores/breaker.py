"""What keeps a dead store from costing each batch its timeout."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from prometheus_client import Histogram

from orders import backoff
from orders.metrics import aerospike_write_latency_ms, store_breaker_open, store_errors, store_read_latency_ms
from orders.stores.port import Read, Record, RecordsRefused, Store, StoreUnavailable

logger = logging.getLogger(__name__)

State = Literal["UP", "DOWN"]
_Result = TypeVar("_Result")
# Seconds between two warnings about records that a store which is up refuses.
_COMPLAINT_INTERVAL = 60.0


class Breaker:
    """A store that is left alone after a failure: for `first_rest` seconds, doubled up to `longest_rest`.

    After a rest one call goes through to see, the others fail at once. It is here that failures are logged: once per
    change of state. With `first_rest` 0 it only does that. Safe to share among threads.
    """

    def __init__(
        self,
        store: Store,
        *,
        first_rest: float = 0.5,
        longest_rest: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = store.name
        self._store = store
        self._first_rest = first_rest
        self._longest_rest = longest_rest
        self._clock = clock
        self._lock = threading.Lock()
        self._failure: StoreUnavailable | None = None
        self._failures = 0  # one after the other
        self._retry_at = 0.0
        self._complained_at = -_COMPLAINT_INTERVAL
        self._errors = store_errors.labels(store.name)
        self._open = store_breaker_open.labels(store.name)
        self._writes = aerospike_write_latency_ms.labels(store.name)
        self._reads = store_read_latency_ms.labels(store.name)

    @property
    def state(self) -> State:
        return "UP" if self._failure is None else "DOWN"

    def write(self, records: Sequence[Record]) -> None:
        self._through(lambda: _timed(self._writes, lambda: self._store.write(records)))

    def read(self, keys: Sequence[str]) -> dict[str, Read]:
        return self._through(lambda: _timed(self._reads, lambda: self._store.read(keys)))

    def remove(self, keys: Sequence[str]) -> None:
        self._through(lambda: self._store.remove(keys))

    def ping(self) -> None:
        self._through(self._store.ping)

    def check(self) -> list[str]:
        return self._through(self._store.check)

    def close(self) -> None:
        self._store.close()

    def _through(self, call: Callable[[], _Result]) -> _Result:
        probing = self._admit()
        try:
            result = call()
        except RecordsRefused as refusal:
            self._answered(probing=probing)
            self._complain(refusal)
            raise
        except StoreUnavailable as failure:
            self._errors.inc()
            self._failed(failure, probing=probing)
            raise
        self._answered(probing=probing)
        return result

    def _admit(self) -> bool:
        """Whether this call is the probe of a store that is down. Raises `StoreUnavailable` during a rest."""
        with self._lock:
            if self._failure is None:
                return False
            now = self._clock()
            if now < self._retry_at:
                raise StoreUnavailable(f"left alone for now: {self._failure}")
            # One probe at a time; should it end in neither way, another one follows.
            self._retry_at = now + self._rest()
            return True

    def _failed(self, failure: StoreUnavailable, *, probing: bool) -> None:
        with self._lock:
            if self._failure is not None and not probing:
                return  # It was under way when another one failed.
            if self._failure is None:
                logger.warning("the %s store is down, SQL serves meanwhile: %s", self.name, failure)
            self._failures += 1
            self._failure = failure
            self._open.set(self._first_rest > 0)
            self._retry_at = self._clock() + self._rest()

    def _answered(self, *, probing: bool) -> None:
        if not probing:
            return
        with self._lock:
            self._failure = None
            self._open.set(0)
            self._failures = 0
        logger.warning("the %s store is up again", self.name)

    def _complain(self, refusal: RecordsRefused) -> None:
        with self._lock:
            now = self._clock()
            if now - self._complained_at < _COMPLAINT_INTERVAL:
                return
            self._complained_at = now
        logger.warning("the %s store refuses records: %s", self.name, refusal)

    def _rest(self) -> float:
        return backoff.delay(self._failures, base=self._first_rest, cap=self._longest_rest)


def _timed(latency: Histogram, call: Callable[[], _Result]) -> _Result:
    """Also of a call that fails: a store's timeouts are what one looks for."""
    began = time.perf_counter()
    try:
        return call()
    finally:
        latency.observe(1000 * (time.perf_counter() - began))
