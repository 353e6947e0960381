"""The token on a message: genuine ones pass, and no bit of anything may change."""

from __future__ import annotations

import hmac
import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from consumers import token
from consumers.token import BadToken

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = {"2026-11": OLD, "2026-12": NEW}
AT = 1_771_065_045

# Parts that make the borders between id, order id, time and body hard to find.
_TRICKY = st.sampled_from([".", "1", "17", "a", ":", "-", "ORD.1", ".1771065045.", "}", "[", '"', ","])
_ID_CHARACTERS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "{")
message_ids = st.one_of(
    st.text(_ID_CHARACTERS, min_size=1, max_size=60),
    st.lists(_TRICKY, min_size=1, max_size=8).map("".join),
)
order_ids = st.one_of(
    st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=64),
    st.lists(st.sampled_from([".", "1", "a", ".1771065045.", "ORD.1"]), min_size=1, max_size=5).map("".join),
)
times = st.integers(1, 99_999_999_999)
bodies = st.tuples(
    st.sampled_from([b"{", b" {", b"\r\n\t {", b"\xc3\x01"]),
    st.one_of(st.binary(max_size=300), st.sampled_from([b'"a.1.{}":1}', b'{".ORD.1.1771065045.{', b".1.{}"])),
).map(b"".join)


@st.composite
def messages(draw):
    return {"message_id": draw(message_ids), "order_id": draw(order_ids), "body": draw(bodies)}


def sign(message, at=AT, **keys):
    return token.sign(keys or {"2026-11": OLD}, **message, at=at)


def refused(given, message, keys=KEYS):
    with pytest.raises(BadToken) as refusal:
        token.verify(given, keys, **message)
    return str(refusal.value)


MESSAGE = {"message_id": "m-1", "order_id": "ORD-1", "body": b'{"orderId":"ORD-1"}'}


@given(message=messages(), at=times)
def test_what_was_signed_is_verified_and_says_when_it_was_signed(message, at):
    assert token.verify(sign(message, at), KEYS, **message) == at


def test_a_token_is_written_as_the_design_has_it():
    signature = hmac.new(OLD, b'm-1.ORD-1.1771065045.{"orderId":"ORD-1"}', "sha256").hexdigest()
    assert sign(MESSAGE) == f"t=1771065045,kid=2026-11,v1={signature}"


def flipped(text: bytes, bit: int) -> bytes:
    place, mask = divmod(bit % (8 * len(text)), 8)
    return text[:place] + bytes([text[place] ^ 1 << mask]) + text[place + 1 :]


@given(message=messages(), part=st.sampled_from(["message_id", "order_id", "body"]), bit=st.integers(0))
def test_no_bit_of_a_message_can_change(message, part, bit):
    value = message[part]
    changed = flipped(value if isinstance(value, bytes) else value.encode(), bit)
    if isinstance(value, str):
        changed = changed.decode("latin-1")
    refused(sign(message), message | {part: changed})


@given(message=messages(), at=times, bit=st.integers(0))
def test_no_bit_of_a_token_can_change(message, at, bit):
    refused(flipped(sign(message, at).encode(), bit).decode("latin-1"), message)


@given(message=messages(), at=times, other=times)
def test_a_time_that_was_not_signed_is_refused(message, at, other):
    assume(at != other)
    refused(sign(message, at).replace(f"t={at},", f"t={other},"), message)


@given(message=messages(), at=times)
@example({"message_id": "a.b", "order_id": "c", "body": b"{}"}, AT)
@example({"message_id": "m", "order_id": "a.1", "body": b'{".2.{":1}'}, AT)
def test_the_same_signed_bytes_are_never_another_message(message, at):
    """However they are cut up again, only the order id could move, and the body says what that is."""
    signed = token._signed(message["message_id"], message["order_id"], str(at), message["body"])
    cuts = [place for place, byte in enumerate(signed) if byte == ord(".")]
    found = set()
    for last in cuts:
        for middle in (cut for cut in cuts if cut < last):
            found |= readings(signed, cuts, middle, last)
    assert {(time, body) for _, _, time, body in found} == {(str(at), message["body"])}
    same_order = {found_id for found_id, order_id, _, _ in found if order_id == message["order_id"]}
    assert same_order == {message["message_id"]}


def readings(signed, cuts, middle, last):
    """The messages that could bear a token over these bytes, with the time between these two points."""
    time, body = signed[middle + 1 : last], signed[last + 1 :]
    if not re.fullmatch(rb"[1-9][0-9]{0,10}", time) or not token._is_unambiguous_body(body):
        return set()
    found = set()
    for first in (cut for cut in cuts if cut < middle):
        message_id, order_id = signed[:first].decode("latin-1"), signed[first + 1 : middle].decode("latin-1")
        if token._is_unambiguous_id(message_id) and re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", order_id):
            found.add((message_id, order_id, time.decode(), body))
    return found


@pytest.mark.parametrize(
    "message_id",
    ["", "a b", "a\n", "{", 'x.1.{"orderId":"ORD-1"', "ünicode", "\ud800", "a\0", "\x7f", "\u2028"],
)
def test_a_message_id_that_could_hide_the_beginning_of_a_body_bears_no_token(message_id):
    message = MESSAGE | {"message_id": message_id}
    says = "expected one of printable ASCII characters"
    assert says in refused(sign(MESSAGE), message)
    with pytest.raises(BadToken, match=says):
        sign(message)


# A bare Avro datum begins with twice the length of its order id: 0x30 is the digit 0.
@pytest.mark.parametrize("body", [b"", b"0" + b"O" * 24, b"\nORDER", b" " + b"O" * 16, b"[]", b"\xc3\x02"])
def test_a_body_whose_beginning_is_not_certain_bears_no_token(body):
    message = MESSAGE | {"body": body}
    says = "expected a JSON object or Avro in single-object encoding"
    assert says in refused(sign(MESSAGE), message)
    with pytest.raises(BadToken, match=says):
        sign(message)


def test_while_keys_rotate_a_signature_by_either_is_enough():
    both = sign(MESSAGE, **KEYS)
    assert both.count("kid=") == 2
    for keys in (KEYS, {"2026-11": OLD}, {"2026-12": NEW}):
        assert token.verify(both, keys, **MESSAGE) == AT
    for kid, key in KEYS.items():
        assert token.verify(sign(MESSAGE, **{kid: key}), KEYS, **MESSAGE) == AT


def test_a_key_that_was_taken_away_verifies_nothing_any_more():
    says = refused(sign(MESSAGE), MESSAGE, {"2026-12": NEW})
    assert says == "x-idempotency-token: kid is '2026-11'; expected one of idempotency.token_keys: 2026-12"


def test_without_any_key_a_token_cannot_be_believed():
    assert refused(sign(MESSAGE), MESSAGE, {}).endswith("expected none: no token_keys are set")


def test_of_several_signatures_under_one_kid_any_may_be_the_right_one():
    right, wrong = (sign(MESSAGE, **{"2026-11": key}).split("v1=")[1] for key in (OLD, NEW))
    for first, second in ((right, wrong), (wrong, right)):
        several = f"t={AT},kid=2026-11,v1={first},v1={second}"
        assert token.verify(several, KEYS, **MESSAGE) == AT


def test_a_right_signature_under_the_wrong_kid_is_none():
    refused(sign(MESSAGE).replace("2026-11", "2026-12"), MESSAGE)


def test_an_unknown_kid_beside_a_known_one_does_no_harm_and_no_good():
    given = sign(MESSAGE, **{"2027-01": b"x" * 32, "2026-11": OLD})
    assert token.verify(given, KEYS, **MESSAGE) == AT
    refused(given, MESSAGE | {"order_id": "ORD-2"})


SIGNATURE = "0" * 64


@pytest.mark.parametrize(
    "given",
    [
        "",
        "bearer",
        f"kid=a,t=1,v1={SIGNATURE}",
        f"t=1,v1={SIGNATURE}",
        f"t=1,kid=a,v1={SIGNATURE},",
        f"t=1,kid=a,v1={SIGNATURE}\n",
        f" t=1,kid=a,v1={SIGNATURE}",
        f"t=1,kid=a,v1={SIGNATURE[1:]}",
        f"t=1,kid=a,v1={'A' * 64}",
        "t=1,kid=a,v1=" + "\u0660" * 64,
        f"t=01,kid=a,v1={SIGNATURE}",
        f"t=-1,kid=a,v1={SIGNATURE}",
        f"t=1.5,kid=a,v1={SIGNATURE}",
        f"t=\u0661,kid=a,v1={SIGNATURE}",
        f"t={10**12},kid=a,v1={SIGNATURE}",
        f"t=1,kid=,v1={SIGNATURE}",
        f"t=1,kid={'k' * 65},v1={SIGNATURE}",
        f"t=1,kid=a b,v1={SIGNATURE}",
        f"t=1,kid=a,v1={SIGNATURE},v2={SIGNATURE}",
        "t=1,kid=a\0,v1=",
    ],
)
def test_what_is_not_written_so_is_refused_and_the_error_says_how(given):
    says = refused(given, MESSAGE, {"a": OLD})
    assert "expected t=<unix seconds>,kid=<key id>,v1=<64 hex digits in lower case>" in says
    assert says.isprintable()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (None, "is missing"),
        (b"t=1", "is of type bytes"),
        (1, "is of type int"),
        (True, "is of type bool"),
        ({"t": 1}, "is of type dict"),
        (["t=1"], "is of type list"),
        (1.5, "is of type float"),
    ],
)
def test_a_header_that_is_no_text_is_refused(given, kind):
    assert refused(given, MESSAGE).startswith(f"x-idempotency-token {kind}; expected text, t=")


@given(given=st.text() | st.text("t=1,kid=av0", max_size=300) | st.binary() | st.integers() | st.none())
def test_nothing_but_a_token_is_a_token(given):
    refused(given, MESSAGE)


def test_thousands_of_signatures_are_refused_unread(monkeypatch):
    counted = counting(monkeypatch)
    given = f"t=1,kid=2026-11{f',v1={SIGNATURE}' * 5000}"
    assert f"has {len(given)} characters; expected at most 1024" in refused(given, MESSAGE)
    assert counted == {"digest": 0, "compare_digest": 0}


def test_the_most_signatures_that_fit_cost_a_comparison_each_and_one_digest_a_kid(monkeypatch):
    counted = counting(monkeypatch)
    refused(f"t=1,kid=2026-11{f',v1={SIGNATURE}' * 14}", MESSAGE)
    assert counted == {"digest": 1, "compare_digest": 14}


def counting(monkeypatch):
    """How often each of hmac's two functions is called from here on."""
    counted = {"digest": 0, "compare_digest": 0}

    def counter(name):
        real = getattr(hmac, name)

        def counts(*arguments):
            counted[name] += 1
            return real(*arguments)

        return counts

    for name in counted:
        monkeypatch.setattr(token.hmac, name, counter(name))
    return counted


def test_signatures_are_compared_in_constant_time_and_as_bytes(monkeypatch):
    compared = []
    monkeypatch.setattr(token.hmac, "compare_digest", lambda *pair: compared.append(pair) or False)
    refused(sign(MESSAGE), MESSAGE)
    ((right, given),) = compared
    assert (type(right), type(given), len(given)) == (bytes, bytes, 32)
    assert right == given


@given(message=messages())
def test_an_error_never_holds_a_key_or_the_right_signature(message):
    other = message | {"order_id": message["order_id"][:-1] + "~"}
    says = refused(sign(other), message)
    right = sign(message).split("v1=")[1]
    assert right not in says
    assert not any(key.decode() in says for key in KEYS.values())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"t=1,kid=a,v1={'0':0>64},v1={'1':0>64},kid=b,v1={'2':0>64}", "t=1,kid=a,v1=…,v1=…,kid=b,v1=…"),
        ("a key in the wrong place", "a text of 24 characters"),
        (f"t=1,kid=a,v1={'0':0>64} ", "a text of 78 characters"),
        (17, "of type int"),
        (None, "missing"),
    ],
)
def test_what_is_shown_of_a_token_proves_nothing(given, shown):
    assert token.discreet(given) == shown
    if isinstance(given, str) and shown.startswith("a text"):
        with pytest.raises(token.BadToken) as refusal:
            token.verify(given, {"a": b"k" * 32}, message_id="m", order_id="o", body=b"{}")
        assert given not in str(refusal.value)
