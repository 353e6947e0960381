"""The body of a request, before anything believes it."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.request import Request


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
