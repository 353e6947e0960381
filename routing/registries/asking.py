"""HTTP as the registries that speak it are asked: bounded in time and size, following nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import msgspec
import requests
from urllib3.exceptions import HTTPError

from orders.tls import TlsFiles
from routing.endpoints import checked_endpoint
from routing.registries.service import RegistryUnavailable, ServiceUnknown

_MOST_BYTES = 1024 * 1024  # of an answer: Eureka takes 2 KB for an instance
_EXCERPT = 200

T = TypeVar("T")


class Asking:
    """A registry at `endpoint` (host:port or a URL); `timeout`, seconds, bounds one request.

    `path` holds `{name}`. `headers` are made anew for each request, as a token may change. `tls`: with which one
    at https:// is asked; each new connection reads them anew. Proxies of the environment are not used.
    """

    def __init__(
        self,
        endpoint: str,
        path: str,
        *,
        timeout: float,
        tls: TlsFiles = TlsFiles(),  # noqa: B008 - frozen
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.base = checked_endpoint(endpoint if "://" in endpoint else f"http://{endpoint}")
        self._path = path
        self._timeout = timeout
        self._headers = headers
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = tls.authorities or True
        self._session.cert = tls.certificate

    def get(self, name: str, read: Callable[[bytes], T], params: Mapping[str, str] | None = None) -> T:
        """What `read` makes of the answer; it raises `ValueError` for one that is none.

        Raises `RegistryUnavailable`, `ServiceUnknown` for a 404 or from `read`.
        """
        url = self.base + self._path.replace("{name}", quote(name, safe=""))
        try:
            status, body = self._get(url, params)
        except (OSError, HTTPError) as error:
            raise RegistryUnavailable(f"GET {url} got no answer: {error}") from error
        if status == HTTPStatus.NOT_FOUND:
            raise ServiceUnknown(f"GET {url} answered 404: the registry knows no service {name!r}")
        if status != HTTPStatus.OK:
            raise RegistryUnavailable(f"GET {url} answered {status}: {body[:_EXCERPT]!r}")
        try:
            return read(body)
        except ServiceUnknown as error:
            raise ServiceUnknown(f"GET {url} answered that {error}") from None
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise RegistryUnavailable(f"GET {url} answered {body[:_EXCERPT]!r}: {error}") from error

    def close(self) -> None:
        self._session.close()

    def _get(self, url: str, params: Mapping[str, str] | None) -> tuple[int, bytes]:
        """Status and body. The deadline is looked at between reads: requests' own timeout is for each."""
        deadline = time.monotonic() + self._timeout
        headers = {"Accept": "application/json", **self._headers()}
        body = bytearray()
        with self._session.get(
            url, params=params, headers=headers, timeout=self._timeout, stream=True, allow_redirects=False
        ) as answer:
            while chunk := answer.raw.read1(_MOST_BYTES, decode_content=True):
                body += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not complete within {self._timeout:g} s")
                if len(body) > _MOST_BYTES:
                    raise requests.RequestException(f"more than {_MOST_BYTES} bytes")
            return answer.status_code, bytes(body)
