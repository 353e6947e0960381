"""Where a request comes from. What a proxy says of that is believed of those the configuration names alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

logger = logging.getLogger(__name__)

_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto")
_SITE_BITS = 64


class Request(Protocol):
    """Django's or the REST framework's."""

    @property
    def META(self) -> dict[str, str]: ...  # noqa: N802 - their name
    def is_secure(self) -> bool: ...


class TrustedProxies:
    """Middleware, the first of all: takes a proxy's headers off requests that come from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._told: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sender = request.META.get("REMOTE_ADDR", "")
        if not _is_trusted(_address(sender)):
            for header in (*_FORWARDED, settings.CONFIG.api.client_certificate_header):
                if header and request.META.pop(_key(header), None) is not None:
                    self._tell(header, sender)
        return self._get_response(request)

    def _tell(self, header: str, sender: str) -> None:
        """Once for each header: whoever sends one can send many."""
        if header not in self._told:
            self._told.add(header)
            logger.warning(
                "%s from %s is ignored: not one of api.trusted_proxies. Not said again.", header, sender
            )


def client_address(request: Request) -> str:
    """Of the client itself, behind however many trusted proxies; empty where there is none."""
    address = _address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    # Each proxy adds whom it heard from at the end: what stands before a stranger's own address may be invented.
    for hop in reversed(forwarded.split(",")):
        before = _address(hop.strip())
        if before is None or not _is_trusted(address):
            break
        address = before
    return str(address or "")


def client_site(request: Request) -> str:
    """The client's address as limits count it: an IPv6 customer has a network of them."""
    address = _address(client_address(request))
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _SITE_BITS), strict=False))
    return str(address or "")


def is_confidential(request: Request) -> bool:
    """Whether nobody between the client and here can read along."""
    if request.is_secure() or settings.CONFIG.api.plain_text_credentials:
        return True
    address = _address(client_address(request))
    return address is not None and address.is_loopback


def client_certificate(request: Request) -> str | None:
    """The subject of the client certificate that a trusted proxy has verified."""
    header = settings.CONFIG.api.client_certificate_header
    return request.META.get(_key(header)) or None if header else None


def _key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


@lru_cache(maxsize=4096)  # several times a request, and mostly the same few
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that listens to both families shows the older one's addresses so.
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address | None) -> bool:
    return address is not None and any(address in network for network in settings.CONFIG.api.trusted_proxies)
