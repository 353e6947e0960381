"""The trace of an order: from its message through this service to the router and the routed message."""

import json
from secrets import token_hex

import pika
import pytest

from tests.acceptance.system import system
from tests.builders import body
from tests.otlp import collector
from tests.waiting import wait_until

FLOW = ["SQL Write", "Aerospike Write", "Router Call", "SQL Write", "Aerospike Write", "Publish"]


@pytest.fixture(scope="module")
def collected():
    with collector() as made:
        yield made


@pytest.fixture
def traced(database, tmp_path, rabbitmq, collected):
    logs = tmp_path / "logs"
    logs.mkdir()
    settings = {
        "TELEMETRY__OTLP_ENDPOINT": collected.url,
        "TELEMETRY__SAMPLING_RATIO": "0",
        "LOGS__FOLDER": str(logs),
        "MQ__REPUBLISH_AFTER": "0.5s",
    }
    with system(database, tmp_path, broker=rabbitmq.url, **settings) as made:
        made.logs = logs
        made.collector = collected
        yield made


def parent(*, sampled=True):
    return f"00-{token_hex(16)}-{token_hex(8)}-{'01' if sampled else '00'}"


def publish(made, *orders):
    """Each an order id and its traceparent, None for none."""
    with made.channel() as channel:
        channel.confirm_delivery()
        for order_id, traceparent in orders:
            properties = pika.BasicProperties(
                message_id=f"m-{order_id}", headers={"traceparent": traceparent} if traceparent else {}
            )
            channel.basic_publish("", made.queue, body(order_id), properties)


def spans_of(made, traceparent, count):
    """The spans of a trace, by their beginning."""
    trace_id = traceparent[3:35]

    def those(spans):
        found = [span for span in spans if span.trace_id == trace_id]
        return len(found) >= count and sorted(found, key=lambda span: span.start)

    return made.collector.wait_for(those, what=f"{count} spans of {trace_id}")


def lines(made, name):
    path = made.logs / f"{name}.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_orders_trace_joins_message_service_router_and_routed_message(traced):
    sent = parent()
    publish(traced, ("ORD-1", sent))
    assert traced.drain()["routed"] == 1

    consume, *children = spans_of(traced, sent, 7)
    assert (consume.name, consume.kind, consume.parent_id) == ("Consume", "CONSUMER", sent[36:52])
    assert [span.name for span in children] == FLOW
    assert {span.parent_id for span in children} == {consume.span_id}
    assert {span.kind for span in children} == {"CLIENT", "PRODUCER"}
    for span in (consume, *children):
        assert span.attributes["orderId"] == "ORD-1"
        assert span.attributes["messageId"] == "m-ORD-1"
        assert consume.start <= span.start <= span.end
        assert span.status != "ERROR"
    assert consume.attributes["messaging.system"] == "rabbitmq"
    assert consume.attributes["messaging.destination.name"] == traced.queue
    assert consume.attributes["order.outcome"] == "routed, confirmed"
    place, _, call, settle, _, publication = children
    assert place.attributes["db.operation.name"] == "place"
    assert settle.attributes["db.operation.name"] == "settle_routed"
    assert call.attributes["http.response.status_code"] == 200
    assert call.attributes["url.full"] == f"{traced.router.url}/route"
    assert traced.router.executions()["keys"]["ORD-1"]["traceparent"] == call.traceparent
    ((properties, _),) = traced.published()
    assert properties.headers["traceparent"] == publication.traceparent


def test_the_trace_id_is_in_the_log_lines_of_the_order(traced):
    sent, unsampled = parent(), parent(sampled=False)
    publish(traced, ("ORD-1", sent), ("ORD-2", unsampled), ("ORD-3", None))
    traced.drain()
    for name in ("order_entry", "router_calls"):
        ids = {line["orderId"]: line["trace_id"] for line in lines(traced, name)}
        assert ids == {"ORD-1": sent[3:35], "ORD-2": unsampled[3:35], "ORD-3": None}


def test_an_order_follows_its_senders_decision_and_passes_it_on(traced):
    unsampled = parent(sampled=False)
    publish(traced, ("ORD-1", unsampled), ("ORD-2", "no trace context"), ("ORD-3", "00-" + "0" * 32))
    before = len(traced.collector.spans())
    assert traced.drain()["routed"] == 3

    assert traced.router.executions()["keys"]["ORD-1"]["traceparent"] == unsampled
    assert traced.router.executions()["keys"]["ORD-2"]["traceparent"] is None
    headers = {content["orderId"]: properties.headers or {} for properties, content in traced.published()}
    assert headers["ORD-1"]["traceparent"] == unsampled
    assert "traceparent" not in headers["ORD-2"]
    # The worker has sent what it had at its end.
    assert len(traced.collector.spans()) == before


def test_orders_of_one_batch_are_linked(traced):
    sent = [parent() for _ in range(20)]
    publish(traced, *[(f"ORD-{number:02}", each) for number, each in enumerate(sent)])
    traced.drain()
    places = {}
    for each in sent:
        spans = spans_of(traced, each, 7)
        places[each[3:35]] = next(s for s in spans if s.attributes.get("db.operation.name") == "place")
    together = [span for span in places.values() if span.attributes["db.operation.batch.size"] > 1]
    assert together, "a queue of 20 is taken in batches"
    linked = {link.trace_id for span in together for link in span.links}
    assert linked == {span.trace_id for span in together}


def test_an_order_that_waited_in_the_book_goes_on_in_its_trace(traced):
    sent = parent()
    traced.router.turn(failure_rate=1)
    publish(traced, ("ORD-1", sent))
    with traced.configured(ROUTER__MAX_RETRIES="0") as once:
        worker = once.start("consume_orders")
        wait_until(lambda: traced.statuses() == {"PENDING_ROUTE": 1}, what="it is parked")
        worker.stop(20)
        traced.router.turn(failure_rate=0)
        traced.manage("retry_pending_routes")
        traced.drain()
    spans = spans_of(traced, sent, 8)
    calls = [span for span in spans if span.name == "Router Call"]
    assert [call.status for call in calls] == ["ERROR", "UNSET"]
    assert calls[0].attributes["error.type"] == "503"
    assert len({call.resource["service.instance.id"] for call in calls}) == 2
    ((properties, _),) = traced.published()
    assert properties.headers["traceparent"][3:35] == sent[3:35]


def test_without_a_parent_the_ratio_decides(traced):
    with traced.configured(TELEMETRY__SAMPLING_RATIO="1") as sampling:
        publish(traced, ("ORD-ALONE", None), ("ORD-UNSAMPLED", parent(sampled=False)))
        sampling.drain()
    consumed = traced.collector.wait_for(
        lambda spans: [
            s for s in spans if s.attributes.get("orderId") == "ORD-ALONE" and s.name == "Consume"
        ],
        what="its span",
    )
    assert consumed[0].parent_id == ""
    assert len(spans_of(traced, consumed[0].traceparent, 7)) == 7
    assert not [s for s in traced.collector.spans() if s.attributes.get("orderId") == "ORD-UNSAMPLED"]


def test_a_rejected_message_ends_its_span_with_the_reason(traced):
    sent = parent()
    with traced.channel() as channel:
        properties = pika.BasicProperties(message_id="m-bad", headers={"traceparent": sent})
        channel.basic_publish("", traced.queue, b"no order", properties)
    traced.drain()
    (consume,) = spans_of(traced, sent, 1)
    assert (consume.status, consume.attributes["error.type"]) == ("ERROR", "UNREADABLE")
