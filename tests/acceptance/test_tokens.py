"""Tokens on messages, through real consumer processes."""

import json
import re
import time
from hashlib import sha256

import pika
import pytest

from consumers import token
from orders import avro
from tests.acceptance.system import system
from tests.builders import body

KEYS = {"2026-11": "o" * 40, "2026-12": "n" * 40}
BYTES = {kid: key.encode() for kid, key in KEYS.items()}
CONFIGURED = {
    "IDEMPOTENCY__TOKEN_KEYS": json.dumps(KEYS),
    "IDEMPOTENCY__SIGNING_KEY": "2026-12",
    "IDEMPOTENCY__REQUIRE_TOKEN": "true",
    "IDEMPOTENCY__MAX_MESSAGE_AGE": "1h",
}
AVRO_FIELDS = {"orderId": "ORD-avro", "symbol": "AAPL", "side": "BUY", "quantity": 100, "price": 145}


def sign(message_id, order_id, content, *, kids=("2026-12",), keys=BYTES, age=0):
    at = int(time.time()) - age
    signing = {kid: keys[kid] for kid in kids}
    return token.sign(signing, message_id=message_id, order_id=order_id, body=content, at=at)


def genuine(order_id, *, kids=("2026-12",), age=0, content=None):
    """A message as its publisher sends it."""
    content = content or body(order_id)
    return f"m-{order_id}", content, sign(f"m-{order_id}", order_id, content, kids=kids, age=age)


def publish(made, *messages):
    """Messages as id, body and whatever their header holds, None where they have none."""
    with made.channel() as channel:
        channel.confirm_delivery()
        for message_id, content, header in messages:
            kind = "avro/binary" if content.startswith(b"\xc3\x01") else "application/json"
            properties = pika.BasicProperties(
                message_id=message_id,
                content_type=kind,
                delivery_mode=2,
                headers=None if header is None else {token.HEADER: header},
            )
            channel.basic_publish("", made.queue, content, properties, mandatory=True)


@pytest.fixture
def secured(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, LOGS__FOLDER=str(tmp_path), **CONFIGURED) as made:
        yield made


def test_genuine_messages_are_routed_and_whatever_is_not_is_quarantined_and_says_why(secured):
    good = [
        genuine("ORD-new"),
        genuine("ORD-old", kids=["2026-11"]),
        genuine("ORD-both", kids=["2026-11", "2026-12"]),
        genuine("ORD-early", age=-30),
        genuine("ORD-avro", content=avro.encode(AVRO_FIELDS, single_object=True)),
        (None, body("ORD-no-id"), sign(_derived(body("ORD-no-id")), "ORD-no-id", body("ORD-no-id"))),
    ]
    captured = genuine("ORD-captured")
    _, content, header = captured
    foreign = {"2026-12": b"x" * 40}
    bad = {
        "no-token": (body("BAD-0"), None, "is missing; expected text, t="),
        "no-text": (body("BAD-1"), 17, "is of type int; expected text, t="),
        "bytes": (body("BAD-2"), b"\xff\x00", "is of type bytes; expected text, t="),
        "table": (body("BAD-3"), {"t": 1, "v1": ["x"]}, "is of type dict; expected text, t="),
        "list": (body("BAD-4"), ["t=1"], "is of type list; expected text, t="),
        "no-ascii": (body("BAD-5"), "t=1,kid=é,v1=", "expected t=<unix seconds>,kid="),
        "thousands": (body("BAD-6"), "t=1,kid=a" + f",v1={'0':0>64}" * 1500, "expected at most 1024"),
        "stranger": (
            body("BAD-7"),
            sign("stranger", "BAD-7", body("BAD-7"), kids=["x"], keys={"x": b"x" * 40}),
            "kid is 'x'; expected one of idempotency.token_keys: 2026-11, 2026-12",
        ),
        "forged": (
            body("BAD-8"),
            sign("forged", "BAD-8", body("BAD-8"), keys=foreign),
            "v1 is not this message's signature",
        ),
        "other-id": (content, header, "v1 is not this message's signature"),
        "m-ORD-other": (body("ORD-other"), header, "v1 is not this message's signature"),
        "m-ORD-captured": (
            content.replace(b"100", b"900"),
            header,
            "over the message id 'm-ORD-captured', the order id ORD-captured, t and the body",
        ),
        "m-BAD-9": (*genuine("BAD-9", age=4000)[1:], "expected at most idempotency.max_message_age, 3600 s"),
        "m-BAD-10": (*genuine("BAD-10", age=-900)[1:], "ahead of this clock; expected at most 60 s"),
    }
    forged = [(message_id, *message[:2]) for message_id, message in bad.items()]
    publish(secured, *good[:3], *forged[:9], captured, *forged[9:], *good[3:], captured, captured)

    summary = secured.drain()

    assert (summary["routed"], summary["rejected"], summary["duplicates"]) == (len(good) + 1, len(bad), 2)
    assert secured.router.executions()["totals"]["executions"] == len(good) + 1
    assert secured.rows("SELECT 1 FROM orders WHERE needs_review OR order_id LIKE 'BAD%'") == []
    assert secured.rows("SELECT quantity FROM orders WHERE order_id = 'ORD-captured'") == [(100,)]
    rejected = secured.rows("SELECT message_id, reason, error, body FROM rejected_messages")
    assert {(message_id, reason) for message_id, reason, _, _ in rejected} == {
        (message_id, "BAD_TOKEN") for message_id in bad
    }
    for message_id, _, error, kept in rejected:
        assert bad[message_id][2] in error
        assert bytes(kept) == bad[message_id][0]
    check_nothing_secret_is_told(secured, [error for _, _, error, _ in rejected])
    assert secured.depth(secured.queue) == 0


def _derived(content):
    """The id of a message that has none."""
    return f"sha256:{sha256(content).hexdigest()}"


def check_nothing_secret_is_told(made, errors):
    lines = (made.folder / "order_entry.log").read_text()
    assert "BAD_TOKEN" in lines
    for text in (lines, *errors):
        assert not any(key in text for key in KEYS.values())
        assert not re.search(r"(?<!sha256:)[0-9a-f]{64}", text), "a signature is told"


def test_an_old_message_is_taken_where_its_order_is_known_or_a_person_vouches_for_it(secured):
    known = [genuine(f"ORD-{number}", age=3000) for number in range(20)]
    publish(secured, *known)
    assert secured.drain()["routed"] == 20
    unknown = genuine("ORD-late", age=3000)
    # An outage longer than the age allowed; a new epoch voids the marks, so that SQL itself is asked.
    with secured.configured(IDEMPOTENCY__MAX_MESSAGE_AGE="10m", IDEMPOTENCY__EPOCH="2") as after:
        publish(after, *known[:10], unknown, *known[10:])
        summary = after.drain()
        assert (summary["duplicates"], summary["rejected"], summary["routed"]) == (20, 1, 0)
        ((message_id, content, order_id, headers),) = after.rows(
            "SELECT message_id, body, order_id, headers FROM rejected_messages WHERE reason = 'BAD_TOKEN'"
        )
        assert (message_id, order_id, headers[token.HEADER]) == ("m-ORD-late", "ORD-late", unknown[2])
        # Whoever sends it again in this service's name signs it anew.
        publish(after, (message_id, bytes(content), sign(message_id, order_id, bytes(content))))
        assert after.drain()["routed"] == 1
    assert secured.statuses() == {"ROUTED": 21}
    assert secured.rows("SELECT 1 FROM orders WHERE needs_review") == []


@pytest.mark.long
def test_signed_samples_go_through_where_a_token_is_required(database, tmp_path):
    with system(database, tmp_path, **CONFIGURED) as made:
        said = json.loads(
            made.manage(
                "publish_sample_orders", "200", "--sign", "--avro", "0.3", "--broken", "0.2", "--json"
            )
        )
        summary = made.drain()
        assert (summary["routed"], summary["rejected"]) == (said["distinct"], said["broken"])
        forged = made.rows("SELECT count(*) FROM rejected_messages WHERE reason = 'BAD_TOKEN'")
        assert forged[0][0] >= 1
