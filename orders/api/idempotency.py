"""`Idempotency-Key`: a request that is sent again under the same key is answered as it was, and does nothing again.

Note on keeping: the answer is written by the transaction that does what the request asks, so that one is never there
without the other; of two requests with one key at once, the second waits for the first. A refusal changes nothing and
is not kept: sent again later, the request is looked at anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from orders.models import KeptAnswer

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
_FORGOTTEN_AT_ONCE = 100
_is_key = re.compile(r"[\x20-\x7e]{1,255}").fullmatch


class KeyUsedOtherwise(APIException):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_detail = f"This {HEADER} was used for another request; a new request takes a new key."


def once(request: Request, do: Callable[[], HttpResponse]) -> HttpResponse:
    """`do()`, or what it was answered before. Raises what `do` does, `ValidationError`, `KeyUsedOtherwise`."""
    key = request.headers.get(HEADER)
    if key is None:
        return do()
    if not _is_key(key):
        raise ValidationError({HEADER: ["expected 1 to 255 printable ASCII characters"]})
    _forget_expired()
    digest = sha256(b"\n".join([request.path.encode(), request.body])).digest()
    with transaction.atomic(durable=True):
        kept, is_new = KeptAnswer.objects.get_or_create(
            caller=request.user.get_username(),
            key=key,
            defaults={"digest": digest, "expires_at": Now() + KEPT_FOR},
        )
        if not is_new:
            return _again(kept, digest)
        answer = do()
        KeptAnswer.objects.filter(pk=kept.pk).update(
            status=answer.status_code,
            location=answer.get("Location", ""),
            body=answer.content.decode(),
        )
    return answer


def _again(kept: KeptAnswer, digest: bytes) -> HttpResponse:
    if bytes(kept.digest) != digest:
        raise KeyUsedOtherwise
    headers = {"Location": kept.location} if kept.location else {}
    return HttpResponse(kept.body, status=kept.status, content_type="application/json", headers=headers)


def _forget_expired() -> None:
    """Each request with a key makes away with more than it adds."""
    expired = KeptAnswer.objects.filter(expires_at__lte=Now()).order_by("expires_at")
    KeptAnswer.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])).delete()
