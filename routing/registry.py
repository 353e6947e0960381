"""The service registry: where the router is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, Self
from urllib.parse import quote

import msgspec
import requests
from django.conf import settings
from tenacity import (
    Retrying,
    retry_if_not_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from urllib3.exceptions import HTTPError

from orders.tls import TlsFiles
from routing.backoff import delay
from routing.endpoints import checked_endpoint
from routing.reactor import Reactor

ATTEMPTS = 3
_MOST_BYTES = 64 * 1024  # of an answer

log = logging.getLogger(__name__)


class RegistryUnavailable(Exception):
    """The registry did not say where the service is; the message has what was asked and what came.

    RegistryUnavailable
    └── ServiceUnknown   it answered that there is no such service
    """


class ServiceUnknown(RegistryUnavailable):
    pass


@dataclass(slots=True, frozen=True)
class Service:
    """`endpoint`: an http(s) URL without a trailing slash."""

    name: str
    endpoint: str


class _Entry(msgspec.Struct):
    name: str
    endpoint: str


_entry = msgspec.json.Decoder(_Entry)


class Registry:
    """Look-ups by HTTP: `GET http://{endpoint}{path}` → `{"name": …, "endpoint": "http://host:port"}`.

    `endpoint` is host:port or a URL; `path` holds `{name}`; `timeout`, seconds, bounds one attempt.
    `tls`: with which a registry at https:// is asked; each new connection reads them anew. `https_only`: a service
    elsewhere than at https:// is not believed. Proxies of the environment are not used. For one thread at a time.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        path: str = "/services/{name}",
        timeout: float,
        tls: TlsFiles = TlsFiles(),  # noqa: B008 - frozen
        https_only: bool = False,
    ) -> None:
        self._base = checked_endpoint(endpoint if "://" in endpoint else f"http://{endpoint}")
        self._path = path
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = tls.authorities or True
        self._session.cert = tls.certificate
        self._https_only = https_only

    @classmethod
    def from_settings(cls, *, timeout: float | None = None) -> Self:
        """As configured, but for the time that one answer may take, seconds."""
        registry, router = settings.CONFIG.service_registry, settings.CONFIG.router
        return cls(
            registry.endpoint,
            path=registry.path,
            timeout=timeout or registry.timeout,
            tls=TlsFiles.of(registry),
            https_only=router.https_only,
        )

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
        return attempts(self._ask, name)

    def close(self) -> None:
        self._session.close()

    def _ask(self, name: str) -> Service:
        url = self._base + self._path.replace("{name}", quote(name, safe=""))
        try:
            status, body = self._get(url)
        except (OSError, HTTPError) as error:
            raise RegistryUnavailable(f"GET {url} got no answer: {error}") from error
        if status == HTTPStatus.NOT_FOUND:
            raise ServiceUnknown(f"GET {url} answered 404: the registry knows no service {name!r}")
        if status != HTTPStatus.OK:
            raise RegistryUnavailable(f"GET {url} answered {status}: {body[:200]!r}")
        try:
            return self._service(name, body)
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise RegistryUnavailable(f"GET {url} answered {body[:200]!r}: {error}") from error

    def _get(self, url: str) -> tuple[int, bytes]:
        """Status and body. The deadline is looked at between reads: requests' own timeout is for each."""
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        with self._session.get(url, timeout=self._timeout, stream=True, allow_redirects=False) as answer:
            while chunk := answer.raw.read1(_MOST_BYTES, decode_content=True):
                body += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not complete within {self._timeout:g} s")
                if len(body) > _MOST_BYTES:
                    raise requests.RequestException(f"more than {_MOST_BYTES} bytes")
            return answer.status_code, bytes(body)

    def _service(self, name: str, body: bytes) -> Service:
        entry = _entry.decode(body)
        if entry.name != name:
            raise ValueError(f"that is another service; asked for {name!r}")
        endpoint = checked_endpoint(entry.endpoint)
        if self._https_only and not endpoint.startswith("https:"):
            raise ValueError("expected an https:// endpoint: certificates are configured for it")
        return Service(name, endpoint)


class RouterEndpoint:
    """The router's endpoint, kept current by a thread of its own; everything here is for the loop's thread.

    Looked up at `start`, then about every `interval` seconds, sooner (with backoff) after a failure. The last
    known endpoint stays in use while the registry fails. `on_change(endpoint)` is called on the loop's
    thread; `on_first_outcome` once, when the registry has answered or failed for the first time.
    """

    def __init__(
        self,
        reactor: Reactor,
        registry: Registry,
        service: str,
        *,
        interval: float,
        on_change: Callable[[str], None] = lambda _: None,
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
        self._current: str | None = None
        self._state: Literal["UP", "DOWN"] | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="router-endpoint", daemon=True)

    @property
    def current(self) -> str | None:
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
        self._reactor.add_callback_threadsafe(lambda: self._found(service.endpoint))
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

    def _found(self, endpoint: str) -> None:
        if self._stopping.is_set():
            return
        if self._state != "UP" or endpoint != self._current:
            log.info("%s is at %s, says the registry", self._service, endpoint)
        changed = endpoint != self._current
        self._current = endpoint
        self._became("UP")
        if changed:
            self._on_change(endpoint)

    def _failed(self, said: str) -> None:
        if self._stopping.is_set():
            return
        if self._state != "DOWN":
            kept = f"{self._current} stays in use" if self._current else "orders wait until it is known"
            log.warning("Where %s is could not be looked up; %s. %s", self._service, kept, said)
        self._became("DOWN")

    def _became(self, state: Literal["UP", "DOWN"]) -> None:
        first = self._state is None
        self._state = state
        if first:
            self._on_first_outcome()
