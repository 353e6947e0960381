"""Limits of the API, so high that no desk meets them: they bound what one caller can do to all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from orders.api import proxies
from orders.api.rates import Rate, Turns

if TYPE_CHECKING:  # its module imports this one, by the settings
    from rest_framework.views import APIView

_addresses = Turns()
_callers = Turns()
_creations = Turns(1)


class CallerThrottle(BaseThrottle):
    """So many requests of one user, token or certificate; of one address where the request bears none."""

    _wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        del view
        if request.user.is_authenticated:
            limit = Rate.parse(settings.CONFIG.api.throttle_authenticated)
            self._wait = _callers.take(request.user.get_username(), limit)
        else:
            self._wait = _take_of_address(request)
        return not self._wait

    def wait(self) -> float:
        return self._wait


def has_turn(request: HttpRequest) -> bool:
    """Count a request that asks for nobody; False: it is one too many, and not counted."""
    return not _take_of_address(request)


def count_refusal(request: Request) -> None:
    """One refused credential more of this address. Raises `Throttled`."""
    if wait := _take_of_address(request):
        raise Throttled(wait)


def count_creation() -> None:
    """One order more on this instance. Raises `Throttled`."""
    if wait := _creations.take("", Rate(settings.CONFIG.service.rate_limit, 1.0)):
        raise Throttled(wait)


def _take_of_address(request: proxies.Request) -> float:
    limit = Rate.parse(settings.CONFIG.api.throttle_anonymous)
    return _addresses.take(proxies.client_site(request), limit)
