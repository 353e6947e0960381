"""Errors of the API as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, UnreadablePostError
from rest_framework.exceptions import NotFound
from rest_framework.views import exception_handler

MEDIA_TYPE = "application/problem+json"
SQL_AWAY = "The order book does not answer just now."
RETRY_AFTER = "2"  # seconds
_KEPT_HEADERS = ("WWW-Authenticate", "Retry-After")


def problem(status: int, detail: str, **members: Any) -> HttpResponse:
    """An answer with `status`; `detail` says what is wrong, `members` say it to machines."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return HttpResponse(json.dumps(document | members), status=status, content_type=MEDIA_TYPE)


def no_such_order(order_id: str) -> NotFound:
    return NotFound(f"There is no order {order_id}.")


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The REST framework's exception handler. None, for what nobody foresaw: logged, and answered 500."""
    if isinstance(error, OperationalError | InterfaceError):
        answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, SQL_AWAY)
        answer["Retry-After"] = RETRY_AFTER
        return answer
    if isinstance(error, RequestDataTooBig):
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than any order may be.")
    if isinstance(error, UnreadablePostError):
        return problem(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive.")
    response = exception_handler(error, context)
    if response is None:
        return None
    answer = problem(response.status_code, **_members(response.data), **getattr(error, "members", {}))
    for header in _KEPT_HEADERS:
        if header in response:
            answer[header] = response[header]
    return answer


def _members(data: Any) -> dict[str, Any]:
    """What the framework says: one sentence, or a list of faults for each field."""
    if isinstance(data, dict) and set(data) == {"detail"}:
        return {"detail": str(data["detail"])}
    faults = data if isinstance(data, dict) else {"": data}
    errors = [{"field": field, "detail": str(fault)} for field, found in faults.items() for fault in found]
    return {"detail": "; ".join(f"{error['field']}: {error['detail']}" for error in errors), "errors": errors}
