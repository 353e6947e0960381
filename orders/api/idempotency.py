"""`Idempotency-Key`: a request that is sent again under the same key is answered as it was, and does nothing again.

Note on keeping: the answer is written by the transaction that does what the request asks, so that one is never there
without the other; of two requests with one key at once, the second waits a moment for the first, and is told to come
back. A refusal changes nothing and is not kept: sent again later, the request is looked at anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from orders.bounded import TooSlow, bounded
from orders.models import KeptAnswer

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
_FORGOTTEN_AT_ONCE = 100
# Milliseconds that a request waits for another one under its key.
PATIENCE = 1000
_is_key = re.compile(r"[\x20-\x7e]{1,255}").fullmatch

_Write = TypeVar("_Write", bound=Callable[..., Any])

_SAME_AGAIN = OpenApiParameter(
    HEADER,
    location=OpenApiParameter.HEADER,
    description="The same request under the same key is done once and answered the same for 24 hours. "
    "A refusal is not kept: sent again, the request is looked at anew.",
    pattern=r"^[\x20-\x7e]{1,255}$",
)


class KeyUsedOtherwise(APIException):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_detail = f"This {HEADER} was used for another request; a new request takes a new key."


class KeyInUse(APIException):
    status_code = HTTPStatus.CONFLICT
    default_detail = f"A request under this {HEADER} is being worked on; ask again for its answer."
    wait = 1  # seconds: Retry-After


def repeatable(write: _Write) -> _Write:
    """For a view's method that writes: what it answers is answered again, where the request has a key.

    It gives an `HttpResponse`, whose content is there. Adds `ValidationError`, `KeyUsedOtherwise` and `KeyInUse`.
    """

    @extend_schema(parameters=[_SAME_AGAIN])
    @wraps(write)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return write(view, request, *args, **kwargs)
        if not _is_key(key):
            raise ValidationError({HEADER: ["expected 1 to 255 printable ASCII characters"]})
        return _once(request, key, lambda: write(view, request, *args, **kwargs))

    return cast("_Write", answer)


def _once(request: Request, key: str, do: Callable[[], HttpResponse]) -> HttpResponse:
    _forget_expired()
    asked = f"{request.method} {request.get_full_path()}"
    digest = sha256(b"\n".join([asked.encode(), request.body])).digest()
    with transaction.atomic(durable=True):
        kept, is_new = _kept(request.user.get_username(), key, digest)
        if not is_new:
            return _again(kept, digest)
        answer = do()
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            transaction.set_rollback(True)
            return answer
        KeptAnswer.objects.filter(pk=kept.pk).update(
            status=answer.status_code,
            location=answer.get("Location", ""),
            body=answer.content.decode(),
        )
    return answer


def _kept(caller: str, key: str, digest: bytes) -> tuple[KeptAnswer, bool]:
    """The row of the key, and whether it is new, which it stays for everyone else until this transaction ends."""
    new = {"digest": digest, "expires_at": Now() + KEPT_FOR}
    try:
        with bounded(PATIENCE):
            return KeptAnswer.objects.get_or_create(caller=caller, key=key, defaults=new)
    except TooSlow:
        raise KeyInUse from None


def _again(kept: KeptAnswer, digest: bytes) -> HttpResponse:
    if bytes(kept.digest) != digest:
        raise KeyUsedOtherwise
    headers = {"Location": kept.location} if kept.location else {}
    return HttpResponse(kept.body, status=kept.status, content_type="application/json", headers=headers)


def _forget_expired() -> None:
    """Each request with a key makes away with more than it adds."""
    expired = KeptAnswer.objects.filter(expires_at__lte=Now()).order_by("expires_at")
    KeptAnswer.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])).delete()
