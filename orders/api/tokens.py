"""Tokens of the API: `oe_` and 256 random bits. Shown once, kept as a hash, found by it, dead at once when revoked."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from orders import audit
from orders.models import ApiToken
from orders.scopes import Caller, Scope, scopes_of

logger = logging.getLogger(__name__)

PREFIX = "oe_"
LONGEST_LIFE = timedelta(days=731)
_RECOGNISED_BY = len(PREFIX) + 6
_RANDOM_BYTES = 32
_USE_NOTED_EVERY = timedelta(minutes=1)
_is_token = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}").fullmatch
_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch


class Refused(Exception):
    """Why there is no such token, why it may not be made, or why it opens nothing."""


def create(
    *, name: str, scopes: Collection[Scope], life: timedelta, owner: User | None, actor: str, reason: str
) -> tuple[ApiToken, str]:
    """A new token and its text, which nobody can find out later. Raises `Refused`."""
    _refuse_nonsense(name, scopes, life)
    if owner is not None and (beyond := set(scopes) - scopes_of(owner)):
        raise Refused(
            f"{owner.get_username()} may not {' or '.join(sorted(beyond))}, so no token of theirs may"
        )
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                name=name,
                prefix=text[:_RECOGNISED_BY],
                digest=_digest(text),
                scopes=sorted(set(scopes)),
                owner=owner,
                created_by=actor,
                expires_at=datetime.now(UTC) + life,
            )
            detail = {"reason": reason, "prefix": token.prefix, "scopes": token.scopes}
            audit.record(actor=actor, action="api_token.create", subject=name, detail=detail)
    except IntegrityError:
        raise Refused(f"there is a token {name} already: revoke it first, or choose another name") from None
    return token, text


def revoke(token_id: int, *, actor: str, reason: str) -> bool:
    """End a token, on record; False where it was revoked already."""
    with transaction.atomic():
        living = ApiToken.objects.filter(pk=token_id, revoked_at__isnull=True)
        if not living.update(revoked_at=datetime.now(UTC), revoked_by=actor):
            return False
        token = ApiToken.objects.get(pk=token_id)
        detail = {"reason": reason, "prefix": token.prefix}
        audit.record(actor=actor, action="api_token.revoke", subject=token.name, detail=detail)
    return True


class State(StrEnum):
    LIVING = "living"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ORPHANED = "orphaned"  # its owner may not log in any more


def state(token: ApiToken, now: datetime) -> State:
    if token.revoked_at is not None:
        return State.REVOKED
    if token.expires_at <= now:
        return State.EXPIRED
    return State.LIVING if token.owner is None or token.owner.is_active else State.ORPHANED


def caller(text: str) -> Caller:
    """Who holds this token. Raises `Refused`."""
    if not _is_token(text):
        raise Refused("This is not a token of this service.")
    # Found by its hash: how long that takes tells nothing of the token.
    # Its owner is asked for apart: a service's own has none, and joining costs as much as the look-up.
    try:
        token = ApiToken.objects.get(digest=_digest(text))
    except ApiToken.DoesNotExist:
        raise Refused("This token is unknown.") from None
    now = datetime.now(UTC)
    if (found := state(token, now)) is not State.LIVING:
        raise Refused(f"This token is {found}.")
    _note_use(token, now)
    scopes = frozenset(Scope(scope) for scope in token.scopes)
    if token.owner is not None:
        scopes &= scopes_of(token.owner)
    return Caller(f"{token.name} (token {token.prefix})", scopes, token.owner)


def _refuse_nonsense(name: str, scopes: Collection[Scope], life: timedelta) -> None:
    if not _is_name(name):
        raise Refused(f"expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got {name[:80]!r}")
    if not scopes:
        raise Refused(f"expected at least one scope of {', '.join(Scope)}")
    if not timedelta() < life <= LONGEST_LIFE:
        raise Refused(f"expected a life of at most {LONGEST_LIFE.days} days")


def _note_use(token: ApiToken, now: datetime) -> None:
    """Once a minute; a book that cannot be written just now may be read all the same."""
    if token.last_used_at is not None and now - token.last_used_at < _USE_NOTED_EVERY:
        return
    unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    try:
        with transaction.atomic():
            ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    except DatabaseError:
        logger.warning("The use of the API token %s could not be noted.", token.prefix, exc_info=True)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
