"""Ended spans on their way to a collector that works, refuses, hangs or turns them away: bounded, whatever it does."""

from __future__ import annotations

import threading
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from order_entry_project import span_export
from order_entry_project.config import Telemetry
from order_entry_project.span_export import BATCH, QUEUE, LazyBatches
from tests.mutual_tls import Authority
from tests.otlp import Collector, collector
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

OUTAGES = {
    "refused": Collector.refuse,
    "hanging": Collector.hang,
    "turned away": lambda sink: sink.answer(503, Retry_After="60"),
    "an error": lambda sink: sink.answer(500),
}


@pytest.fixture
def sink():
    with collector() as made:
        yield made


@pytest.fixture
def patience():
    """Of an export, seconds."""
    return 0.3


@pytest.fixture
def batches(sink, monkeypatch, patience):
    """On their way to `sink`; an ending process has half a second."""
    monkeypatch.setattr(span_export, "PATIENCE", 0.5)
    monkeypatch.setattr(span_export, "DELAY", 0.05)
    made = LazyBatches(Telemetry(otlp_endpoint=sink.url, otlp_timeout=patience))
    yield made
    made.shutdown()


@pytest.fixture
def tracer(batches):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(batches)
    return provider.get_tracer("test")


def make(tracer, count, name="work"):
    for _ in range(count):
        tracer.start_span(name).end()


def waiting(batches):
    return len(span_export._core(batches._batches)._queue)


def test_spans_arrive_at_the_collector_s_usual_path(sink, tracer):
    make(tracer, 3)
    sink.wait_for(lambda spans: len(spans) == 3, what="the three spans")


def test_before_the_first_span_there_is_no_thread(tracer):
    before = threading.active_count()
    make(tracer, 1)
    assert threading.active_count() == before + 1


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_costs_spans_and_neither_memory_nor_time(sink, batches, tracer, outage, caplog):
    OUTAGES[outage](sink)
    began = time.monotonic()
    make(tracer, 3 * QUEUE)
    assert time.monotonic() - began < 2, "whoever makes spans does not wait"
    assert waiting(batches) <= QUEUE

    began = time.monotonic()
    batches.shutdown()
    assert time.monotonic() - began < 1.5, "nor does an ending process"

    sink.work()
    make(tracer, 1, "afterwards")
    sink.wait_for(lambda spans: any(span.name == "afterwards" for span in spans), what="spans again")
    said = [record for record in caplog.records if record.name == span_export.__name__]
    assert 1 <= len(said) <= 2, "one line for each exporter there has been"
    assert "are not delivered and are lost, orders are not affected" in said[0].getMessage()
    assert sink.url in said[0].getMessage()
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


@pytest.mark.parametrize("patience", [30])  # one batch is on its way all the time
def test_the_newest_spans_outlast_an_outage_in_a_queue_that_is_bounded(sink, batches, tracer):
    sink.hang()
    make(tracer, BATCH)
    sink.wait_for_posts(1)
    make(tracer, QUEUE, "older")
    make(tracer, QUEUE, "newer")
    sink.work()
    sink.wait_for(lambda spans: len([s for s in spans if s.name == "newer"]) == QUEUE, what="the newer ones")
    assert not sink.named("older")


def test_an_outage_is_told_at_its_begin_and_its_end_not_for_each_batch(sink, tracer, caplog):
    sink.answer(500)
    for batch in range(1, 4):
        make(tracer, 1)
        sink.wait_for_posts(batch)
    sink.work()
    make(tracer, 1, "afterwards")
    sink.wait_for(lambda spans: any(span.name == "afterwards" for span in spans), what="spans again")
    expected = ["was answered 500", "are delivered to"]
    wait_for_lines(caplog, len(expected))
    said = [record.getMessage() for record in caplog.records if record.name == span_export.__name__]
    assert len(said) == len(expected)
    assert all(words in line for words, line in zip(expected, said, strict=True))


def wait_for_lines(caplog, count):
    wait_until(
        lambda: len([r for r in caplog.records if r.name == span_export.__name__]) >= count,
        what=f"{count} lines",
        patience=10,
    )


def test_an_outage_that_lasts_is_told_again(sink, tracer, caplog, monkeypatch):
    monkeypatch.setattr(span_export, "REMINDER", 0.0)
    sink.answer(500)
    make(tracer, 1)
    wait_for_lines(caplog, 1)
    make(tracer, 1)
    wait_for_lines(caplog, 2)


def test_a_collector_that_sends_elsewhere_is_not_taken_for_one_that_takes(sink, tracer, caplog):
    sink.answer(307, Location="http://127.0.0.1:1/elsewhere")
    make(tracer, 1)
    wait_for_lines(caplog, 1)
    assert "was answered 307" in caplog.text


def test_what_may_hold_values_stays_here(sink, tracer):
    words = "Key (order_id)=(canary) already exists"
    attributes = {
        "url.full": "https://anna:canary@registry:8090/services/router?token=canary",
        "url.query": "token=canary",
        "db.query.text": "ALTER ROLE x PASSWORD 'it''s canary' VALID UNTIL 'canary' -- \"kept\" %s",
        "http.route": "order",
    }
    with pytest.raises(KeyError), tracer.start_as_current_span("failing", attributes=attributes):
        raise KeyError(words)
    (span,) = sink.wait_for(lambda spans: spans, what="the span")
    assert "canary" not in repr(span)
    assert (span.status, span.message, span.events) == ("ERROR", "", [])
    assert dict(span.attributes) == {
        "url.full": "https://registry:8090/services/router",
        "db.query.text": 'ALTER ROLE x PASSWORD ? VALID UNTIL ? -- "kept" %s',
        "http.route": "order",
        "error.type": "KeyError",
    }


def test_an_error_that_has_its_type_keeps_it(sink, tracer):
    with pytest.raises(KeyError), tracer.start_as_current_span("failing", attributes={"error.type": "500"}):
        raise KeyError
    (arrived,) = sink.wait_for(lambda spans: spans, what="the span")
    assert (arrived.attributes["error.type"], arrived.status) == ("500", "ERROR")


def test_a_span_that_holds_nothing_of_the_kind_is_sent_as_it_is():
    span = ReadableSpan("SQL Write", attributes={"db.operation.name": "place"})
    assert span_export.discreet(span) is span


@pytest.fixture
def secured(sink, tmp_path, monkeypatch):
    """The collector behind mutual TLS: its proxy, and what a client of it needs."""
    monkeypatch.setattr(span_export, "PATIENCE", 5)
    authority = Authority(tmp_path)
    files = {"ca_cert": authority.ca_cert, "client_cert": authority.issue("client.pem")}
    with TcpProxy(int(sink.url.rpartition(":")[2]), tls=authority.server()) as proxy:
        yield Telemetry(otlp_endpoint=f"https://localhost:{proxy.port}", otlp_timeout=1, **files)


def send(config):
    batches = LazyBatches(config)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(batches)
    provider.get_tracer("test").start_span("over TLS").end()
    batches.shutdown()


def test_a_collector_over_mutual_tls_knows_us_by_our_certificate(sink, secured):
    send(secured)
    assert [span.name for span in sink.spans()] == ["over TLS"]


@pytest.mark.parametrize("without", ["ca_cert", "client_cert"])
def test_where_one_side_does_not_believe_the_other_no_span_is_sent(sink, secured, caplog, without):
    send(secured.model_copy(update={without: None}))
    assert sink.posts == 0
    assert "Traces are not delivered" in caplog.text


def test_a_certificate_that_is_not_there_is_named(sink, secured, caplog, tmp_path):
    send(secured.model_copy(update={"client_cert": tmp_path / "absent.pem"}))
    assert "absent.pem" in caplog.text
    assert "Traces are not delivered" in caplog.text
