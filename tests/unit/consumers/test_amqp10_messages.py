"""Messages of AMQP 1.0: what the port is told of them, and what is sent."""

# ruff: noqa: E402 - what imports proton comes after it is known to be there
from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.transport import Message
from tests.servers.asking import needed_module

needed_module("proton", by="make install-amqp10")
import proton

from consumers.amqp10.messages import Codec, Unsendable

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def received(**fields):
    """What is told of a message that has these of proton's fields."""
    return Codec().decode(proton.Message(**fields).encode())


def sent(message):
    """A message of the port, as others read it."""
    read = proton.Message()
    read.decode(bytes(Codec().encode(message)))
    return read


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)), b"x" * 100_000])
def test_a_body_is_sent_as_one_data_section_and_read_back(body):
    assert bytes(sent(Message(body, "m")).body) == body
    assert sent(Message(body, "m")).inferred
    assert Codec().decode(Codec().encode(Message(body, "m"))).body == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x00\xff", b"\x00\xff"),
        ("schön", "schön".encode()),
        (None, b""),
        ({"orderId": "A-1"}, b'{"orderId": "A-1"}'),
        ([1, "two"], b'[1, "two"]'),
    ],
    ids=["binary", "a string", "nothing", "a map", "a list"],
)
def test_the_body_of_an_amqp_value_is_read(body, expected):
    assert received(body=body, inferred=False).body == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("id-ü", "id-ü"),
        (b"caf\xe9", r"caf\xe9"),
        (proton.ulong(2**64 - 1), "18446744073709551615"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (None, None),
    ],
    ids=["string", "binary", "ulong", "uuid", "none"],
)
def test_ids_of_any_type_are_read_as_text(given, expected):
    told = received(id=given).message_id
    assert told == expected
    assert told is None or type(told) is str


def test_ids_are_sent_as_strings_and_durably_without_annotations():
    message = sent(Message(b"{}", "12345", correlation_id=str(UUID(int=1))))
    assert (message.id, message.correlation_id) == ("12345", str(UUID(int=1)))
    assert (type(message.id), type(message.correlation_id)) == (str, str)
    assert message.durable
    assert message.annotations is None
    assert message.instructions is None


def test_headers_are_application_properties_both_ways():
    headers = {
        "traceparent": TRACEPARENT,
        "x-idempotency-token": "t=1",
        "flag": True,
        "n": -(2**40),
        "none": None,
    }
    assert sent(Message(b"{}", "m", headers=headers)).properties == headers
    assert Codec().decode(Codec().encode(Message(b"{}", "m", headers=headers))).headers == headers


@pytest.mark.parametrize("size", [0, 900, 1100, 70_000])
def test_headers_of_any_size_are_sent_whole(size):
    headers = {"long": "x" * size, "after": "all"}
    assert sent(Message(b"{}" * 100, "m", headers=headers)).properties == headers
    assert bytes(sent(Message(b"{}" * 100, "m", headers=headers)).body) == b"{}" * 100


def test_what_application_properties_cannot_hold_is_sent_as_text():
    headers = {"list": [1, {"two": "zwölf"}], "huge": 2**80}
    assert sent(Message(b"{}", "m", headers=headers)).properties == {
        "list": '[1, {"two": "zwölf"}]',
        "huge": str(2**80),
    }


def test_properties_of_amqps_own_types_are_read_as_plain_ones():
    told = received(
        properties={
            "at": proton.timestamp(1_771_065_045_123),
            "beyond": proton.timestamp(2**62),
            "by": UUID(int=9),
            "raw": b"\xff-",
            "symbol": proton.symbol("s"),
            "uint": proton.uint(5),
            "float": proton.float32(0.5),
        }
    ).headers
    assert told == {
        "at": "2026-02-14T10:30:45.123000+00:00",
        "beyond": str(2**62),
        "by": str(UUID(int=9)),
        "raw": r"\xff-",
        "symbol": "s",
        "uint": 5,
        "float": 0.5,
    }
    assert {name: type(value) for name, value in told.items()} == {
        **dict.fromkeys(told, str),
        "uint": int,
        "float": float,
    }


def test_a_content_type_is_text_and_none_where_there_is_none():
    assert received(content_type="application/json").content_type == "application/json"
    assert received().content_type is None


@pytest.mark.parametrize(
    ("fields", "redelivered"),
    [
        ({"first_acquirer": True}, False),
        ({"first_acquirer": False}, True),
        ({"first_acquirer": True, "delivery_count": 1}, True),
    ],
)
def test_a_message_is_redelivered_if_it_was_delivered_before_or_may_have_been(fields, redelivered):
    assert received(**fields).redelivered is redelivered


def test_annotations_that_arrive_are_passed_over():
    told = received(body=b"{}", inferred=True, annotations={"x-opt-jms-dest": "q"})
    assert (told.body, told.headers) == (b"{}", {})


def test_nothing_of_one_message_is_left_in_the_next():
    codec = Codec()
    full = Message(b"1", "one", correlation_id="c", headers={"a": "b"})
    codec.encode(full)
    told = codec.decode(codec.encode(Message(b"2", "two")))
    assert (told.body, told.message_id, told.headers) == (b"2", "two", {})
    read = proton.Message()
    read.decode(bytes(codec.encode(Message(b"3", "three"))))
    assert read.correlation_id is None
    assert read.properties is None


@pytest.mark.parametrize("raw", [b"", b"{}", b"HTTP/1.1 400 Bad Request"])
def test_what_is_no_message_has_its_bytes_for_a_body(raw):
    told = Codec().decode(raw)
    assert told.body == raw
    assert told.message_id is None


_PROPERTIES = b"\x00St"
_UNREADABLE = {
    "a list for a name": _PROPERTIES + b"\xc1\x04\x02\x45\xa1\x00",
    "lists in lists": b"\x00Sw" + b"\xc0\x02\x01" * 5000 + b"E",
    "no UTF-8": b"\x00Sw\xa1\x01\xff",
    "cut off": b"\x00Ss\xc0",
}


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_read_without_an_error(raw):
    assert isinstance(Codec().decode(b"\0" + raw).body, bytes)


@pytest.mark.parametrize("raw", _UNREADABLE.values(), ids=_UNREADABLE)
def test_what_cannot_be_read_is_no_error_and_spoils_nothing(raw):
    codec = Codec()
    assert isinstance(codec.decode(raw).body, bytes)
    assert codec.decode(codec.encode(Message(b"next", "m"))).body == b"next"


@pytest.mark.parametrize(
    "message",
    [
        Message(b"", "\ud800"),
        Message(b"", "m", headers={7: "no name"}),
        Message(b"", "m", headers={"x": "\ud800"}),
    ],
)
def test_what_cannot_be_sent_says_so(message):
    with pytest.raises(Unsendable):
        Codec().encode(message)
    assert Codec().decode(Codec().encode(Message(b"next", "m"))).body == b"next"
