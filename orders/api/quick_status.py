"""The short way of the request that is made most: the status of one order, out of the cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve, reverse
from django.utils.http import http_date

from orders import status_cache
from orders.api import throttles
from orders.api.identifiers import ORDER_ID

_status_of = re.compile(rf"/order/{ORDER_ID}").fullmatch
_JSON = "application/json"
# As the long way has them, `Expires` and the length beside.
_HEADERS = {
    "Allow": "GET, HEAD, OPTIONS",
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
    "X-Frame-Options": "DENY",
}


class QuickStatus:
    """Middleware: answers `GET /order/{orderId}` at once where everyone may read it and the cache has it.

    It spares the request all that looks for a person behind it, which is most of its cost. Whatever is not such a
    hit (a caller above their limit, too) goes the long way, through the middleware that follows and the view, which
    gives the same answer to the letter. What has just been missed is not looked up there again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (order_id := _asked_for(request)) is None:
            return self._get_response(request)
        document = status_cache.from_settings().get(order_id)
        if document is None:
            request.status_missed = True  # type: ignore[attr-defined] # for the view
        elif throttles.has_turn(request):
            return _answer(request, order_id, document)
        return self._get_response(request)


def _asked_for(request: HttpRequest) -> str | None:
    """The order whose status is asked for, in the simplest way. Raises `DisallowedHost`, as the long way does."""
    if request.method != "GET" or request.META.get("QUERY_STRING"):
        return None
    found = _status_of(request.path_info)
    if found is None or not settings.CONFIG.api.anonymous_reads or not _takes_json(request):
        return None
    request.get_host()
    return found["order_id"]


def _takes_json(request: HttpRequest) -> bool:
    accepted = request.META.get("HTTP_ACCEPT", "*/*")
    return accepted in ("*/*", _JSON)


def _answer(request: HttpRequest, order_id: str, document: str) -> HttpResponse:
    request.resolver_match = _match(order_id)
    response = HttpResponse(document, content_type=_JSON, charset="utf-8", headers=_HEADERS)
    response["Expires"] = http_date()
    response["Content-Length"] = str(len(response.content))
    return response


def _match(order_id: str) -> ResolverMatch:
    """By which metrics and traces name the request."""
    view = _view()
    return ResolverMatch(view.func, (), {"order_id": order_id}, view.url_name, route=view.route)


@cache
def _view() -> ResolverMatch:
    return resolve(reverse("order", args=["any"]))
