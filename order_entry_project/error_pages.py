"""What Django answers outside the REST framework: problem documents, and pages for people in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import defaults

from orders.api.problems import problem

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
server_error = _page(500, "Something went wrong here; it has been logged.", defaults.server_error)
