"""Sending rejected messages again: as they came, or as a person has mended them.

The row stays what it was; only its state says what became of it. It is marked when the queue has the message,
never before: a replay that is cut short is repeated, and the order book takes each order once (P2, P3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from msgspec.structs import replace

from consumers import token, token_policy
from consumers.models import RejectedMessage, State
from consumers.quarantine import derived_id
from consumers.rejected import Decide, Failure, Refused, locked, required, subject, unchanged
from consumers.sending import send
from consumers.token import BadToken
from consumers.transport import Message, Outcome, QueueUnavailable
from orders import audit, schema
from orders.credentials import CredentialsUnavailable
from orders.models import Order
from orders.schema import InvalidOrder, ValidatedOrder

JSON = "application/json"
# Of the delivery that was rejected; a broker adds them anew.
_OF_THE_BROKER = (
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
    "x-stream-",
)
_LONGEST_ID = 255  # bytes of AMQP
_WHY = {
    Outcome.RETURNED: "there is no queue {queue}",
    Outcome.NACKED: "the queue {queue} did not confirm it; if it has it nevertheless, nothing happens twice",
}


@dataclass(slots=True, frozen=True)
class _Sending:
    """What is sent of a rejected message; `told` is what the audit says of it beyond the reason."""

    row: RejectedMessage
    message: Message
    told: Mapping[str, Any]


def replay(*, reason: str, actor: str) -> Decide:
    """Send messages again as they came, each into its queue. Raises `Refused` where the queue is out of reach.

    A person vouches for them: where this service has keys they bear its own token of now, else none.
    """
    reason = required(reason)

    def decide(rows: Sequence[RejectedMessage]) -> list[Failure]:
        sendings = [
            _Sending(row, message, {"as": message.message_id}) for row, message in _as_they_came(rows)
        ]
        failures: list[Failure] = []
        for queue, of_queue in groupby(sorted(sendings, key=_queue), key=_queue):
            failures += _send(queue, list(of_queue), reason=reason, actor=actor)
        return failures

    return decide


@dataclass(slots=True, frozen=True)
class Examined:
    """What would become of a body: an order, or `error`, why not, with the `fault`, the field.

    `known`: this very order is in the book already, and would go on there where it waits.
    """

    order: ValidatedOrder | None
    error: str = ""
    fault: str = ""
    known: bool = False


def examine(body: bytes, content_type: str) -> Examined:
    """What the consumer would say of a message, were it to come now."""
    try:
        order = schema.decode(body, content_type, timezone.now())
    except InvalidOrder as error:
        return Examined(None, str(error), error.path)
    known = Order.objects.filter(pk=order.order_id).values_list("digest", flat=True).first()
    if known is None:
        return Examined(order)
    if bytes(known) == order.digest:
        return Examined(order, known=True)
    return Examined(order, f"order {order.order_id} is in the book with other content", "orderId")


def replay_edited(pk: int, body: bytes, *, content_type: str = JSON, reason: str, actor: str) -> str:
    """Send another body in the place of a rejected message's; the id it was sent under.

    Raises `Refused` for one that would be rejected too, and where the queue is out of reach.
    """
    reason = required(reason)
    row = RejectedMessage.objects.filter(pk=pk, state=State.WAITING).first()
    if row is None:
        raise Refused("the message does not wait any more")
    examined = examine(body, content_type)
    if examined.order is None or examined.error:
        raise Refused(f"it would be rejected again: {examined.error}")
    # The same edit is the same message, whoever sends it again.
    message_id = f"edited:{pk}:{sha256(body).hexdigest()[:16]}"
    message = Message(body, message_id, content_type=content_type, headers=_own_headers(row))
    told = {"as": message_id, "contentType": content_type, "body": body.decode()}
    sending = _Sending(row, _vouched(message, examined.order.order_id, timezone.now()), told)
    for failure in _send(row.queue, [sending], reason=reason, actor=actor):
        raise Refused(failure.why)
    return message_id


def _as_they_came(rows: Sequence[RejectedMessage]) -> list[tuple[RejectedMessage, Message]]:
    now = timezone.now()
    return [(row, _vouched(_message(row), row.order_id, now)) for row in rows]


def _message(row: RejectedMessage) -> Message:
    body = bytes(row.body)
    fits = len(row.message_id.encode()) <= _LONGEST_ID
    return Message(
        body,
        row.message_id if fits else derived_id(body),
        content_type=row.content_type,
        headers=_own_headers(row),
    )


def _own_headers(row: RejectedMessage) -> dict[str, Any]:
    """Without those of its delivery, and without the token of whom it came from."""
    left_out = (*_OF_THE_BROKER, token.HEADER)
    return {name: _sendable(value) for name, value in row.headers.items() if not name.startswith(left_out)}


def _sendable(value: Any) -> Any:
    """A header's value; as text where it is a number that pika can read and not write."""
    match value:
        case dict():
            return {name: _sendable(item) for name, item in value.items()}
        case list():
            return [_sendable(item) for item in value]
        case float():
            return str(value)
        case int() if not -(2**63) <= value < 2**63:
            return str(value)
        case _:
            return value


def _vouched(message: Message, order_id: str | None, now: datetime) -> Message:
    """With a token of this service, under a derived id where its own cannot bear one; else as it is."""
    try:
        if order_id is None or not token_policy.keys():
            return message
        for one in (message, replace(message, message_id=derived_id(message.body))):
            with suppress(BadToken):
                return token_policy.signed(one, order_id=order_id, at=now)
    except CredentialsUnavailable as error:
        raise Refused(f"no message can be signed: {error}") from None
    return message


def _queue(sending: _Sending) -> str:
    return sending.row.queue


def _send(queue: str, sendings: Sequence[_Sending], *, reason: str, actor: str) -> list[Failure]:
    try:
        outcomes = send(queue, [sending.message for sending in sendings])
    except QueueUnavailable as error:
        raise Refused(f"{queue} cannot be reached: {error}") from None
    answered = list(zip(sendings, outcomes, strict=True))
    _mark([one for one, outcome in answered if outcome is Outcome.CONFIRMED], reason=reason, actor=actor)
    return [
        Failure(one.row.pk, one.row.message_id, _WHY[outcome].format(queue=queue))
        for one, outcome in answered
        if outcome is not Outcome.CONFIRMED
    ]


def _mark(sent: Sequence[_Sending], *, reason: str, actor: str) -> None:
    """The queue has them. One that was rejected again before this is written goes on waiting."""
    by_id = {one.row.pk: one for one in sent}
    with transaction.atomic(durable=True):
        for pk, now in locked([one.row for one in sent]).items():
            one = by_id[pk]
            RejectedMessage.objects.filter(pk=pk).update(
                state=State.REPLAYED if unchanged(one.row, now) else now.state,
                decided_at=Now(),
                decided_by=actor,
                decision_reason=reason,
                replayed_as=one.message.message_id,
            )
        details = {subject(pk): {"reason": reason, **one.told} for pk, one in by_id.items()}
        audit.record_each(actor=actor, action="rejected.replay", details=details)
