"""Where the router is, kept current in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from orders.backoff import delay
from routing.reactor import Reactor
from routing.registry import Registry, RegistryUnavailable, Service

logger = logging.getLogger(__name__)


class Discovery:
    """The router's instances, kept current by a thread of its own; everything here is for the loop's thread.

    Looked up at `start`, then about every `interval` seconds, sooner (with backoff) after a failure. What was last
    known stays in use while the registry fails, or names none. `on_change(service)` is called on the loop's
    thread; `on_first_outcome` once, when the registry has answered or failed for the first time.
    """

    def __init__(
        self,
        reactor: Reactor,
        registry: Registry,
        service: str,
        *,
        interval: float,
        on_change: Callable[[Service], None] = lambda _: None,
        on_first_outcome: Callable[[], None] = lambda: None,
        least_gap: float = 1.0,
    ) -> None:
        """`least_gap`: seconds from one look-up to the next, however many ask for one."""
        self._reactor = reactor
        self._registry = registry
        self._service = service
        self._interval = interval
        self._least_gap = least_gap
        self._on_change = on_change
        self._on_first_outcome = on_first_outcome
        self._current: Service | None = None
        self._state: Literal["UP", "DOWN"] | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="discovery", daemon=True)

    @property
    def current(self) -> Service | None:
        """None until the registry has answered once."""
        return self._current

    @property
    def state(self) -> Literal["UP", "DOWN"]:
        """How the last look-up went."""
        return self._state or "DOWN"

    def start(self) -> None:
        self._thread.start()

    def refresh_soon(self) -> None:
        """Look up again now, or as soon as `least_gap` allows: the router may have moved."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread. A look-up under way is waited for briefly; its answer goes nowhere."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(self._least_gap)

    # On the thread.

    def _run(self) -> None:
        try:
            failures = 0
            while not self._stopping.is_set():
                failures = 0 if self._look() else failures + 1
                self._rest(failures)
        except BaseException as error:  # noqa: BLE001 - a thread's error ends the process through the loop
            kept = error
            self._reactor.add_callback_threadsafe(lambda: self._reactor.fail(kept))
        finally:
            self._registry.close()

    def _look(self) -> bool:
        try:
            service = self._registry.lookup(self._service, stopping=self._stopping)
        except RegistryUnavailable as error:
            said = str(error)
            self._reactor.add_callback_threadsafe(lambda: self._failed(said))
            return False
        self._reactor.add_callback_threadsafe(lambda: self._found(service))
        return True

    def _rest(self, failures: int) -> None:
        wait = delay(failures, base=self._least_gap, cap=self._interval) if failures else self._jittered()
        began = time.monotonic()
        self._wake.wait(wait)
        self._stopping.wait(self._least_gap - (time.monotonic() - began))
        self._wake.clear()

    def _jittered(self) -> float:
        """The interval less up to a tenth, so that a fleet started together does not ask together."""
        return self._interval * 0.8 + delay(1, base=self._interval * 0.2, cap=self._interval)

    # On the loop.

    def _found(self, service: Service) -> None:
        if self._stopping.is_set():
            return
        known = self._current
        changed = known is None or service.instances != known.instances
        if self._state != "UP" or changed:
            logger.info("%s is at %s, says the registry", self._service, _endpoints(service))
        self._current = service
        if changed:
            self._on_change(service)
        self._became("UP")

    def _failed(self, said: str) -> None:
        if self._stopping.is_set():
            return
        if self._state != "DOWN":
            known = self._current
            kept = f"{_endpoints(known)} stays in use" if known else "orders wait until it is known"
            logger.warning("Where %s is could not be looked up; %s. %s", self._service, kept, said)
        self._became("DOWN")

    def _became(self, state: Literal["UP", "DOWN"]) -> None:
        first = self._state is None
        self._state = state
        if first:
            self._on_first_outcome()


def _endpoints(service: Service) -> str:
    return ", ".join(one.endpoint for one in service.instances)
