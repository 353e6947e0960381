"""Lines that are written while a span is current bear its ids."""

import json
import logging

import pytest

from order_entry_project import logs

IDS = ("a" * 32, "b" * 16)


@pytest.fixture
def within_a_span(monkeypatch):
    monkeypatch.setattr(logs._Redacting, "span_of", staticmethod(lambda _: IDS))


def record(**more):
    made = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "routed %s", "args": ("ORD-1",)})
    made.__dict__.update(more)
    return made


def json_line(**more):
    return json.loads(logs.JsonLines().format(record(**more)))


def test_a_json_line_has_them_as_fields(within_a_span):
    line = json_line()
    assert (line["trace_id"], line["span_id"]) == IDS


def test_a_line_for_people_ends_with_them_above_its_stack(within_a_span):
    formatter = logs.PlainLines("%(message)s")
    assert formatter.format(record()) == f"routed ORD-1 trace_id={IDS[0]} span_id={IDS[1]}"
    failed = formatter.format(record(exc_text="Traceback …"))
    assert failed.splitlines() == [f"routed ORD-1 trace_id={IDS[0]} span_id={IDS[1]}", "Traceback …"]


def test_a_line_that_knows_its_trace_keeps_it(within_a_span):
    assert json_line(trace_id="c" * 32)["trace_id"] == "c" * 32


def test_the_lines_of_a_batch_bear_their_orders_own_ids(within_a_span):
    text = logs.JsonLines().format(record(lines=[{"message": "1", "trace_id": "d" * 32}, {"message": "2"}]))
    first, second = [json.loads(line) for line in text.splitlines()]
    assert first["trace_id"] == "d" * 32
    assert "trace_id" not in second


def test_outside_of_spans_there_are_none():
    assert "trace_id" not in json_line()
    assert logs.PlainLines("%(message)s").format(record()) == "routed ORD-1"
