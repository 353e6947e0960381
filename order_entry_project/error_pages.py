"""What Django answers outside the REST framework: problem documents, and pages for people in the console."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from orders.api.problems import RETRY_AFTER, SQL_AWAY, problem

_FOR_PEOPLE = ("/admin/", "/docs")
Page = Callable[..., HttpResponseBase]


def _page(status: int, detail: str, for_people: Page) -> Page:
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.path.startswith(_FOR_PEOPLE):
            return for_people(request, *args, **kwargs)
        return problem(status, detail)

    return answer


bad_request = _page(400, "The request cannot be understood.", defaults.bad_request)
permission_denied = _page(403, "This is not allowed.", defaults.permission_denied)
not_found = _page(404, "There is nothing at this path.", defaults.page_not_found)
_server_error = _page(500, "Something went wrong here; it has been logged.", defaults.server_error)
# Without the request: who asks is not known without SQL.
_sql_away = _page(503, SQL_AWAY, lambda _: HttpResponse(render_to_string("503.html"), status=503))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Called while the error is being handled: it may be that SQL does not answer."""
    if not isinstance(sys.exception(), OperationalError | InterfaceError):
        return _server_error(request)
    answer = _sql_away(request)
    answer["Retry-After"] = RETRY_AFTER
    return answer
