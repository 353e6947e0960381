"""The token on a message: that someone who has a key sent it, when, and that nothing of it has changed. Pure.

    x-idempotency-token: t=<unix seconds>,kid=<key id>,v1=<hex HMAC-SHA256(key, messageId "." orderId "." t "." body)>

`t` is signed as it is written. A `kid` may have several `v1`, and further `kid`s with theirs may follow while keys
rotate: one signature by a key that is known is enough.

Note on what is signed: message ids and order ids may hold points, so their concatenation alone says nothing about
where one ends. With the two conditions of `_signed` it does. No byte of message id, order id, time or the points
between is `{`, white space or beyond ASCII, and a body begins with one of these: the first such byte is where the
body begins. The time is the digits before it. The order id is the one in that body, and what is left is the message
id. So the same signed bytes always are the same message, whatever is moved between its parts. The content type is
not signed and need not be: no body that begins so can be read as both JSON and Avro.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Final

from orders.invalid import shown

HEADER: Final = "x-idempotency-token"
LONGEST: Final = 1024  # characters: 13 signatures, and bounded work for whoever sends more
SMALLEST_KEY: Final = 32  # bytes, as many as the signature has

KEY_ID: Final = r"[A-Za-z0-9._-]{1,64}"
_is_token = re.compile(rf"t=([1-9][0-9]{{0,10}})((?:,kid={KEY_ID}(?:,v1=[0-9a-f]{{64}})+)+)").fullmatch
_signatures_in = re.compile(rf",kid=({KEY_ID})((?:,v1=[0-9a-f]{{64}})+)").findall
_EXPECTED = "t=<unix seconds>,kid=<key id>,v1=<64 hex digits in lower case>"

_signature = re.compile(r"v1=[0-9a-f]{64}")

_is_unambiguous_id = re.compile(r"[!-z|}~]+").fullmatch  # printable ASCII without blank and {
_is_unambiguous_body = re.compile(rb"[ \t\r\n]*\{|\xc3\x01").match


class BadToken(ValueError):
    """A token that proves nothing, or a message that none can prove anything of; says what was expected."""


def sign(keys: Mapping[str, bytes], *, message_id: str, order_id: str, body: bytes, at: int) -> str:
    """The token of a message signed at `at`, unix seconds, with each of `keys`: key id → key.

    `message_id` is `quarantine.message_id_of` the message. Raises `BadToken` where it cannot bear one.
    """
    signed = _signed(message_id, order_id, str(at), body)
    signatures = [f"kid={kid},v1={hmac.digest(key, signed, 'sha256').hex()}" for kid, key in keys.items()]
    return ",".join([f"t={at}", *signatures])


def verify(token: object, keys: Mapping[str, bytes], *, message_id: str, order_id: str, body: bytes) -> int:
    """When the message was signed, unix seconds. Raises `BadToken`, which never holds a key or a signature."""
    at, signatures = _read(token)
    signed = _signed(message_id, order_id, at, body)
    known = [(keys[kid], of_kid) for kid, of_kid in signatures if kid in keys]
    if not known:
        raise BadToken(_unknown(signatures[0][0], keys))
    for key, of_kid in known:
        right = hmac.digest(key, signed, "sha256")
        for given in of_kid.split(",v1=")[1:]:
            if hmac.compare_digest(right, bytes.fromhex(given)):
                return int(at)
    raise BadToken(
        f"{HEADER}: v1 is not this message's signature; expected one by the key of its kid over the message id "
        f"{shown(message_id)}, the order id {order_id}, t and the body as they came"
    )


def discreet(token: object) -> str:
    """What may be shown of a token: when it was signed and with which keys. Of anything else, how long it is."""
    if isinstance(token, str) and len(token) <= LONGEST and _is_token(token):
        return _signature.sub("v1=…", token)
    return f"a text of {len(token)} characters" if isinstance(token, str) else _kind(token)


def _read(token: object) -> tuple[str, list[tuple[str, str]]]:
    """`t`, and of each key id its signatures, as written."""
    if not isinstance(token, str):
        raise BadToken(f"{HEADER} is {_kind(token)}; expected text, {_EXPECTED}")
    if len(token) > LONGEST:
        raise BadToken(f"{HEADER} has {len(token)} characters; expected at most {LONGEST}, {_EXPECTED}")
    match = _is_token(token)
    if match is None:
        raise BadToken(f"{HEADER} is {discreet(token)}; expected {_EXPECTED}")
    return match[1], _signatures_in(match[2])


def _signed(message_id: str, order_id: str, at: str, body: bytes) -> bytes:
    if not _is_unambiguous_id(message_id):
        raise BadToken(
            f"{HEADER}: the message id is {shown(message_id)}; expected one of printable ASCII characters without "
            "blank and {, else it is not certain where it ends in what is signed"
        )
    if not _is_unambiguous_body(body):
        raise BadToken(
            f"{HEADER}: the body begins with {body[:2].hex(' ') or 'nothing'}; expected a JSON object or Avro in "
            "single-object encoding, else it is not certain where it begins in what is signed"
        )
    return b"%s.%s.%s.%s" % (message_id.encode(), order_id.encode(), at.encode(), body)


def _unknown(kid: str, keys: Mapping[str, bytes]) -> str:
    known = (
        f"one of idempotency.token_keys: {', '.join(keys):.200}" if keys else "none: no token_keys are set"
    )
    return f"{HEADER}: kid is {shown(kid)}; expected {known}"


def _kind(token: object) -> str:
    return "missing" if token is None else f"of type {type(token).__name__}"
