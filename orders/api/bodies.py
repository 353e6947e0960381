"""The body of a request, before anything believes it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.request import Request

from orders import json_body as exact
from orders.api.problems import problem
from orders.invalid import InvalidOrder


class BodyLimit:
    """Middleware: refuses a body by its length, before a byte of it is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        console = request.path.startswith("/admin/")
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if console else settings.CONFIG.api.max_body
        if int(request.META.get("CONTENT_LENGTH") or 0) > most:
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have {most} bytes here.")
        return self._get_response(request)


class LengthRequired(APIException):
    status_code = HTTPStatus.LENGTH_REQUIRED
    default_detail = "A body needs a Content-Length; chunks are not read."
    default_code = "length_required"


def json_body(request: Request) -> bytes:
    """The raw bytes of a JSON body. Raises `UnsupportedMediaType`, `LengthRequired`, `RequestDataTooBig`."""
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired
    media_type, _, parameters = (request.content_type or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise UnsupportedMediaType(
            request.content_type or "", f"Expected application/json in UTF-8, got {request.content_type!r}."
        )
    return request.body


def fields_of(request: Request) -> dict[str, Any]:
    """The object that a JSON body holds. Raises as `json_body` does, and `ParseError`."""
    try:
        return exact.read(json_body(request))
    except InvalidOrder as fault:
        raise ParseError(str(fault)) from None
