"""What the configuration asks of tokens, where messages are decoded."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from consumers import batch, token, token_policy
from consumers.batch import Job
from consumers.models import Reason
from consumers.token import BadToken
from consumers.transport import Delivery, Message
from order_entry_project.config import Idempotency
from order_entry_project.secrets.sources import credentials
from orders import avro
from tests.builders import body

KEY, OTHER = "k" * 32, "o" * 32
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def configure(monkeypatch):
    """`configure(key=value)`: the idempotency section; it begins with one token key."""

    def change(**keys):
        section = Idempotency(**({"token_keys": {"2026-11": KEY}} | keys))
        config = settings.CONFIG.model_copy(update={"idempotency": section})
        monkeypatch.setattr(settings, "CONFIG", config)
        monkeypatch.setattr(settings, "CREDENTIALS", credentials(config))

    change()
    return change


def delivery(order_id="ORD-1", message_id="m-1", **changes) -> Delivery:
    fields = {"body": body(order_id), "content_type": "application/json", "headers": {}} | changes
    return Delivery("queue", 1, None, message_id=message_id, **fields)


def signed(one: Delivery, at: datetime | None = None, order_id="ORD-1") -> Delivery:
    """The delivery with this service's token."""
    message = Message(one.body, batch.message_id_of(one), headers=one.headers)
    one.headers = token_policy.signed(message, order_id=order_id, at=at or NOW).headers
    return one


def decoded(*deliveries: Delivery) -> batch.Batch:
    made, again = batch.decode([Job(one, 0.0) for one in deliveries])
    assert again == []
    return made


def taken(one: Delivery) -> bool:
    """Whether it may be placed; what was rejected instead has the reason that it must have."""
    made = decoded(one)
    assert {rejection.reason for rejection in made.rejections} <= {Reason.BAD_TOKEN}
    assert len(made.arrivals) + len(made.rejections) == 1
    return bool(made.arrivals) and not made.untimely


def test_without_a_token_a_message_is_taken_unless_one_is_required(configure):
    assert taken(delivery())
    configure(require_token=True)
    (rejection,) = decoded(delivery()).rejections
    assert (rejection.reason, rejection.order_id) == (Reason.BAD_TOKEN, "ORD-1")
    assert rejection.error.startswith("x-idempotency-token is missing; expected text, t=<unix seconds>,kid=")


def test_a_token_is_checked_where_there_is_one():
    assert taken(signed(delivery()))
    assert not taken(delivery(headers={token.HEADER: "t=1"}))
    assert not taken(signed(delivery(), order_id="ORD-2"))


def test_without_any_key_a_message_with_a_token_is_not_believed(configure):
    one = signed(delivery())
    configure(token_keys={})
    (rejection,) = decoded(one).rejections
    assert rejection.error.endswith("expected none: no token_keys are set")


def test_what_is_no_order_is_rejected_as_that_whatever_its_token():
    (rejection,) = decoded(delivery(body=b"[]", headers={token.HEADER: "nonsense"})).rejections
    assert rejection.reason is Reason.UNREADABLE


def test_a_message_without_an_id_is_signed_with_the_one_derived_from_its_body():
    one = delivery(message_id=None)
    right = token.sign(
        {"2026-11": KEY.encode()},
        message_id=f"sha256:{sha256(one.body).hexdigest()}",
        order_id="ORD-1",
        body=one.body,
        at=int(NOW.timestamp()),
    )
    assert signed(one).headers == {token.HEADER: right}
    assert taken(one)


@pytest.mark.parametrize("message_id", [None, "m-2", "x" * 256])
def test_a_token_does_not_pass_to_another_message_id(message_id):
    one = signed(delivery())
    one.message_id = message_id
    assert not taken(one)


def test_keys_are_looked_up_anew_for_each_batch(configure):
    old = signed(delivery())
    configure(token_keys={"2026-11": KEY, "2026-12": OTHER}, signing_key="2026-12")
    new = signed(delivery())
    assert "kid=2026-12" in new.headers[token.HEADER]
    assert taken(old)
    assert taken(new)
    configure(token_keys={"2026-12": OTHER})
    assert not taken(old)
    assert taken(new)


def test_without_a_limit_no_age_matters(configure):
    for years in (-50, 50):
        assert taken(signed(delivery(), NOW + timedelta(days=365 * years)))


@pytest.mark.parametrize(("seconds", "is_taken"), [(-3500, True), (-3700, False), (50, True), (90, False)])
def test_with_a_limit_what_is_older_or_of_the_future_is_untimely(configure, seconds, is_taken):
    configure(max_message_age="1h")
    assert taken(signed(delivery(), datetime.now(UTC) + timedelta(seconds=seconds))) is is_taken


def test_an_untimely_message_says_how_old_it_is_and_what_was_expected(configure):
    configure(max_message_age="1h")
    assert taken(delivery()), "without a token it has no age"
    past = decoded(signed(delivery(), datetime.now(UTC) - timedelta(seconds=7200.5))).untimely["ORD-1"]
    assert past.startswith("x-idempotency-token: t is 20")
    assert past.endswith("Z, 7201 s ago; expected at most idempotency.max_message_age, 3600 s")
    future = decoded(signed(delivery(), datetime.now(UTC) + timedelta(seconds=7200.5))).untimely["ORD-1"]
    assert future.endswith(" s ahead of this clock; expected at most 60 s")


def test_a_forged_message_is_rejected_and_the_genuine_one_of_its_order_beside_it_is_taken():
    forged = delivery(message_id="m-2", body=body(price=1), headers=signed(delivery()).headers)
    for pair in ([forged, signed(delivery())], [signed(delivery()), forged]):
        made = decoded(*pair)
        assert [rejection.delivery for rejection in made.rejections] == [forged]
        assert [arrival.message_id for arrival in made.arrivals] == ["m-1"]


def test_signing_needs_a_key_and_leaves_other_headers_alone(configure):
    message = Message(body(), "m-1", headers={"traceparent": "00", token.HEADER: "old"})
    made = token_policy.signed(message, order_id="ORD-1", at=NOW)
    assert (made.headers["traceparent"], made.body) == ("00", message.body)
    assert made.headers[token.HEADER].startswith("t=")
    configure(token_keys={})
    with pytest.raises(BadToken, match="expected a key to sign with"):
        token_policy.signed(message, order_id="ORD-1", at=NOW)


def test_samples_cannot_be_signed_without_a_key(configure):
    configure(token_keys={})
    with pytest.raises(
        CommandError, match=r"--sign: idempotency\.token_keys has no key; expected a key to sign"
    ):
        call_command("publish_sample_orders", "1", "--sign")


def test_to_verify_a_token_takes_microseconds():
    """Measured: 4 µs for 300 bytes, a third of what decoding them takes; the bound is for a busy machine."""
    one = signed(delivery(body=body(note="x" * 150)))
    policy = token_policy.from_settings()
    best = min(_seconds(lambda: policy.check(one, "m-1", "ORD-1", NOW)) for _ in range(5))
    assert best < 50e-6


def _seconds(work, times=1000) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


@pytest.mark.parametrize("lead", [b"", b" ", b"\n", b"\t\r\n  "])
def test_a_body_that_may_be_signed_is_never_read_both_as_json_and_as_avro(lead):
    """The content type is not signed."""
    one = signed(delivery(body=lead + body("ORD-1", symbol="A" * 16)))
    assert taken(one)
    for content_type in ("avro/binary", "application/vnd.apache.avro+binary"):
        one.content_type = content_type
        (rejection,) = decoded(one).rejections
        assert rejection.reason in (Reason.UNREADABLE, Reason.BAD_VALUE)
    fields = {"orderId": "ORD-1", "symbol": "AAPL", "side": "BUY", "quantity": 1, "price": 1}
    other = signed(delivery(body=avro.encode(fields, single_object=True), content_type="avro/binary"))
    assert taken(other)
    other.content_type = None
    assert [rejection.reason for rejection in decoded(other).rejections] == [Reason.UNREADABLE]


def test_avro_that_does_not_name_its_schema_bears_no_token():
    fields = {"orderId": "ORD-1", "symbol": "AAPL", "side": "BUY", "quantity": 1, "price": 1}
    bare = avro.encode(fields, single_object=False)
    assert taken(delivery(body=bare, content_type="avro/binary"))
    (rejection,) = decoded(
        delivery(body=bare, content_type="avro/binary", headers=signed(delivery()).headers)
    ).rejections
    assert "expected a JSON object or Avro in single-object encoding" in rejection.error
