"""A rejected message's body, laid out with the fault pointed at."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.utils import timezone

from consumers.body_lines import Line, editable, shown
from orders import avro, schema
from orders.invalid import InvalidOrder
from tests.builders import body

JSON = "application/json"
AVRO = {
    "orderId": "ORD-1",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": Decimal(100),
    "price": Decimal("145.5"),
    "counterparty": None,
    "created_at": None,
    "extra": {"note": "Zürich"},
}


def refused(content: bytes) -> InvalidOrder:
    with pytest.raises(InvalidOrder) as fault:
        schema.decode(content, JSON, timezone.now())
    return fault.value


def marked(content: bytes, content_type: str = JSON) -> list[str]:
    lines = shown(content, content_type, fault=refused(content).path)
    return [line.text.strip() for line in lines if line.at_fault]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (body(price="145.5"), ['"price": "145.5",']),
        (body(price=None), ["}"]),
        (body(legs=[{"ratio": 1}, {"ratio": "\u0000"}]), ['"ratio": "\\u0000"']),
        (b'{"orderId": "ORD-1", "legs": NaN}', ['"legs": NaN']),
        (b'{\n"price": 1,\n"side" "BUY"}', ['"side" "BUY"}']),
        (b"", ["(empty)"]),
        (b'{"symbol": {"a": []}, "orderId": "ORD-1"}', ['"symbol": {']),
    ],
)
def test_the_line_at_fault_is_marked(content, lines):
    assert marked(content) == lines


def test_numbers_stay_as_they_were_written_and_what_cannot_be_seen_is_escaped():
    lines = shown(
        b'{"price": 145.50e0, "note": "\xe2\x80\xae\\u0007\\"Z\xc3\xbcrich", "x": {}, "y": [1]}',
        JSON,
        fault="",
    )
    assert [line.text for line in lines] == [
        "{",
        '  "price": 145.50e0,',
        '  "note": "\\u202e\\u0007\\"Zürich",',
        '  "x": {},',
        '  "y": [',
        "    1",
        "  ]",
        "}",
    ]


def test_avro_is_shown_as_the_json_it_stands_for():
    text = editable(avro.encode(AVRO, single_object=True), "avro/binary")
    assert json.loads(text)["note"] == "Zürich"
    assert '"price": 145.5' in text


@pytest.mark.parametrize("content_type", ["avro/binary", JSON, "text/plain"])
def test_what_is_neither_is_dumped_and_has_to_be_written_anew(content_type):
    assert shown(b"\xff\x00\x01", content_type, fault="")[0].text.startswith("00000000  ff 00 01")
    assert editable(b"\xff\x00\x01", content_type) == ""


def test_what_is_mended_says_the_same_where_nothing_was_changed():
    content = body(note="\u202e\U0001f600\u2028", deep=[[{"a": 1e300}], None, True])
    assert json.loads(editable(content, JSON)) == json.loads(content)


def test_text_that_is_no_json_is_mended_as_it_is():
    assert editable(b'{"price": 1', JSON) == '{"price": 1'


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000, b"{" + b" " * 300_000 + b"}"])
def test_hostile_bodies_are_shown_too(content):
    assert shown(content, JSON, fault="")


def test_of_very_many_lines_the_first_are_shown():
    lines = shown(json.dumps({"x": list(range(5000))}).encode(), JSON, fault="")
    assert lines[-1] == Line("… and 3,004 lines more")
    assert len(lines) == 2001
