"""Hostile messages through a real broker and a real worker: what is an order is taken as it is, and nothing else is."""

from __future__ import annotations

import json
import re

import pika
import pytest

from tests.acceptance.system import system
from tests.builders import body

SQL = "'; DROP TABLE orders; --"
LINES = 'x\r\n{"level":"INFO","message":"forged"}'
# Whatever can be a value of AMQP, where a publisher of ours sends text.
HEADERS = {
    "traceparent": "00-" + "0" * 32 + "-x\r\nX-Let: in",
    "x-idempotency-key\r\nX-Let": "in",
    "nul": "a\0b",
    "deep": {"a": [{"b": [{"c": b"\xff\x00"}]}]},
    "large": "x" * 60_000,
    SQL: SQL,
}
TAKEN = {
    "..": body(".."),
    "ORD:sql": body("ORD:sql", symbol=SQL, counterparty=SQL),
    "ORD-markup": body("ORD-markup", symbol="<script>h()</script>", extra={"<b>": LINES, "../..": SQL}),
    "ORD-id": body("ORD-id"),
}
REFUSED = {
    "path": body("../../etc/passwd"),
    "encoded": body("%2e%2e%2f"),
    "slashes": body("ORD//1"),
    "header": body("ORD\r\nX-Let: in"),
    "nul": body("ORD\0"),
    "alike": body("\N{FULLWIDTH LATIN CAPITAL LETTER O}RD-1"),
    "invisible": body("ORD\N{ZERO WIDTH SPACE}1"),
    "long": body("O" * 65),
    "sql": body(SQL),
    "symbol": body("BAD-1", symbol=LINES),
    "counterparty": body("BAD-2", counterparty=LINES),
    "deep": b'{"orderId": "BAD-3", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "twice": body("BAD-4").replace(b'"symbol"', b'"orderId": "BAD-5", "symbol"'),
    "huge": body("BAD-6", price=1).replace(b'"price": 1', b'"price": 1e999999999'),
    "large": body("BAD-7", x="x" * 300_000),
    "avro": b"\xc3\x01" + b"\xff" * 500,
    "bytes": bytes(range(256)),
}


def publish(made, content, **properties):
    with made.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", made.queue, content, pika.BasicProperties(**properties), mandatory=True)


@pytest.fixture
def hostile(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, LOGS__FOLDER=str(tmp_path)) as made:
        yield made


def test_hostile_messages_are_orders_or_quarantined_and_nothing_else_comes_of_them(hostile):
    kind = {"content_type": "application/json", "delivery_mode": 2}
    for order_id, content in TAKEN.items():
        ids = {"message_id": f"m-{order_id}" if order_id != "ORD-id" else LINES[:200], "correlation_id": SQL}
        publish(hostile, content, headers=HEADERS, app_id=LINES, **kind, **ids)
    for name, content in REFUSED.items():
        publish(hostile, content, message_id=f"m-{name}", headers=HEADERS, **kind)
    for number, content_type in enumerate(["application/json\r\nX-Let: in", "../../x", SQL, "text/x-python"]):
        publish(hostile, body(f"BAD-T{number}"), message_id=f"t-{number}", content_type=content_type)

    summary = hostile.drain()

    refused = len(REFUSED) + 4
    assert (summary["routed"], summary["rejected"], summary["duplicates"]) == (len(TAKEN), refused, 0)
    assert hostile.depth(hostile.queue) == 0
    # The book has what is an order, with one gap-free chain of events each, and the values as they came.
    rows = hostile.rows("SELECT order_id, symbol, counterparty, extra FROM orders")
    assert {row[0] for row in rows} == set(TAKEN)
    assert {row[:3] for row in rows if row[0] == "ORD:sql"} == {("ORD:sql", SQL, SQL)}
    assert [row[3]["extra"] for row in rows if row[0] == "ORD-markup"] == [{"<b>": LINES, "../..": SQL}]
    chains = hostile.rows(
        "SELECT order_id, array_agg(event ORDER BY sequence), max(sequence) = count(*) FROM order_events GROUP BY 1"
    )
    assert {(order_id, tuple(events), whole) for order_id, events, whole in chains} == {
        (order_id, ("PLACED", "ROUTED"), True) for order_id in TAKEN
    }
    assert hostile.rows("SELECT count(*) FROM rejected_messages") == [(refused,)]
    # Downstream and the router got those, once each, and no header of a stranger's making.
    executions = hostile.router.executions()
    assert set(executions["orders"]) == set(executions["keys"]) == set(TAKEN)
    assert executions["totals"]["executions"] == len(TAKEN)
    published = hostile.published()
    assert {content["orderId"] for _, content in published} == set(TAKEN)
    for properties, _ in published:
        assert set(properties.headers or {}) <= {"traceparent", "x-delivery-count"}
        assert "Let" not in str(properties)
    # Each record is one line of JSON.
    for name in ("order_entry", "router_calls"):
        text = (hostile.folder / f"{name}.log").read_text()
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        assert lines
        assert not [line for line in lines if line["message"] == "forged"]
        assert not re.search(r"[\r\x00\x1b\u2028]", text)
