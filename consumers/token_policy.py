"""What this service asks of the tokens on messages, and how it signs its own: as the configuration says now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from msgspec.structs import replace

from consumers import token
from consumers.token import BadToken

if TYPE_CHECKING:
    from consumers.transport import Delivery, Message

CLOCKS_DIFFER: Final = 60  # seconds a sender's clock may run ahead of this one


@dataclass(slots=True, frozen=True)
class Policy:
    """`keys`: key id → key. `max_age`: seconds, None for any."""

    keys: Mapping[str, bytes]
    required: bool
    max_age: float | None

    def check(self, delivery: Delivery, message_id: str, order_id: str, now: datetime) -> str | None:
        """None for a message that may be taken; for one that is genuine but not of this time, what is wrong.

        Raises `BadToken` for one that is not genuine, or does not prove to be though it is asked to.
        """
        given = delivery.headers.get(token.HEADER)
        if given is None and not self.required:
            return None
        at = token.verify(given, self.keys, message_id=message_id, order_id=order_id, body=delivery.body)
        return None if self.max_age is None else _untimely(at, now, self.max_age)


def _untimely(at: int, now: datetime, max_age: float) -> str | None:
    age = now.timestamp() - at
    if -CLOCKS_DIFFER <= age <= max_age:
        return None
    then = f"{token.HEADER}: t is {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if age > max_age:
        return f"{then}, {age:.0f} s ago; expected at most idempotency.max_message_age, {max_age:g} s"
    return f"{then}, {-age:.0f} s ahead of this clock; expected at most {CLOCKS_DIFFER} s"


def keys() -> Mapping[str, bytes]:
    """Key id → key, asked for at each use: they may change. Raises `CredentialsUnavailable` until they are known."""
    return settings.CREDENTIALS.token_keys.current()


def from_settings() -> Policy:
    idempotency = settings.CONFIG.idempotency
    return Policy(keys(), idempotency.require_token, idempotency.max_message_age)


def signing_key() -> dict[str, bytes]:
    """The key this service signs with, under its id. Raises `BadToken` where there is none."""
    known = keys()
    kid = settings.CONFIG.idempotency.signing_key or next(iter(known), None)
    if kid is None or kid not in known:
        raise BadToken(f"idempotency.token_keys has no {kid or 'key'}; expected a key to sign with")
    return {kid: known[kid]}


def signed(message: Message, *, order_id: str, at: datetime) -> Message:
    """The message with a token of this service, in place of any it had.

    Raises `BadToken` without a key, and for a message that cannot bear a token.
    """
    made = token.sign(
        signing_key(),
        message_id=message.message_id,
        order_id=order_id,
        body=message.body,
        at=int(at.timestamp()),
    )
    return replace(message, headers={**message.headers, token.HEADER: made})
