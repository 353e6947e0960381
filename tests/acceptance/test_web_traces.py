"""Traces of web requests: from gunicorn as it is deployed to a collector, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.test_web import LOGIN, manage, web
from tests.builders import body
from tests.otlp import Collector, Span, collector
from tests.servers.postgres import fresh_database

CANARY = "canary-7f3a91"
PROBES = ("/health", "/health/live", "/health/ready", "/metrics", "/static/admin/css/base.css")


def trace(digit: str) -> str:
    return digit * 32


def sampled(digit: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace(digit)}-{digit * 16}-01"}


@dataclass(frozen=True)
class Seen:
    """What a visit brought about: spans, lines of its logs, headers of the last export, the orders' trace contexts."""

    spans: list[Span]
    console: list[dict[str, Any]]
    sql_errors: list[dict[str, Any]]
    headers: Mapping[str, str]
    kept: dict[str, str | None]
    database: str

    def of(self, digit: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace(digit)]


def visit(url: str) -> None:
    """One of everything; the last request is under way when all that was before has ended."""

    def get(path: str, **more: Any) -> HTTPStatus:
        return HTTPStatus(requests.get(url + path, timeout=10, **more).status_code)

    def post(order: bytes) -> HTTPStatus:
        headers = {"Content-Type": "application/json"}
        return HTTPStatus(
            requests.post(f"{url}/order", order, headers=headers, auth=LOGIN, timeout=10).status_code
        )

    assert get("/order/NONE", headers=sampled("a")) == HTTPStatus.NOT_FOUND
    assert get("/order/health", headers=sampled("b")) == HTTPStatus.NOT_FOUND
    assert (
        get("/order/NONE", headers={"traceparent": f"00-{trace('c')}-{'c' * 16}-00"}) == HTTPStatus.NOT_FOUND
    )
    for path in PROBES:
        assert get(path, headers=sampled("d")) == HTTPStatus.OK
    assert post(body("ORD-KEPT")) == HTTPStatus.CREATED
    assert post(body("ORD-LEMON", symbol="LEMON", counterparty=CANARY)) == HTTPStatus.INTERNAL_SERVER_ERROR
    secrets = {"cookies": {"sessionid": CANARY}, "auth": ("nobody", CANARY)}
    refused = get(f"/order?symbol={CANARY}", headers=sampled("e") | {"X-Api-Key": CANARY}, **secrets)
    assert refused in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    assert get("/order/NONE", headers=sampled("f")) == HTTPStatus.NOT_FOUND


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def seen(postgresql, tmp_path_factory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("traced")
    name, words = LOGIN
    user = {
        "DJANGO_SUPERUSER_USERNAME": name,
        "DJANGO_SUPERUSER_PASSWORD": words,
        "DJANGO_SUPERUSER_EMAIL": "anna@example.com",
    }
    with fresh_database(postgresql) as database, collector() as sink:
        manage({**database.env, **user}, "createsuperuser", "--noinput")
        settings = {
            "ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT": sink.url,
            "ORDER_ENTRY__TELEMETRY__OTLP_HEADERS__AUTHORIZATION": f"Bearer {CANARY}",
            "ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO": "1",
            "ORDER_ENTRY__LOGS__FOLDER": str(folder),
            "WEB_CONCURRENCY": "1",
        }
        with database.connect() as book, web(database.env, folder, **settings) as url:
            book.execute("ALTER TABLE orders ADD CONSTRAINT no_lemons CHECK (symbol <> 'LEMON')")
            visit(url)
            # Spans come in the order they ended.
            sink.wait_for(
                lambda spans: any(span.kind == "SERVER" and span.trace_id == trace("f") for span in spans),
                what="the last request of the visit",
            )
            yield Seen(
                spans=sink.spans(),
                console=lines(folder / "web.log"),
                sql_errors=lines(folder / "sql_errors.log"),
                headers=sink.headers,
                kept=dict(book.execute("SELECT order_id, traceparent FROM orders").fetchall()),
                database=database.name,
            )


def test_a_request_has_a_span_below_its_caller_s_and_above_its_statements(seen):
    spans = seen.of("a")
    request = spans[-1]
    assert (request.name, request.kind, request.parent_id) == ("GET order/<order_id>", "SERVER", "a" * 16)
    selects = [span for span in spans if span.name == "SELECT"]
    assert {span.parent_id for span in selects} == {request.span_id}
    assert all(request.start <= span.start <= span.end <= request.end for span in selects)
    assert any('FROM "orders"' in span.attributes["db.query.text"] for span in selects)


def test_attributes_have_the_names_of_today_s_conventions(seen):
    request = seen.of("a")[-1]
    expected = {
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "http.route": "order/<order_id>",
        "url.path": "/order/NONE",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
    }
    assert expected.items() <= request.attributes.items()
    statement = next(span for span in seen.of("a") if "order_id" in span.attributes.get("db.query.text", ""))
    assert statement.attributes["db.system.name"] == "postgresql"
    assert statement.attributes["db.namespace"] == seen.database
    assert '"order_id" = %s' in statement.attributes["db.query.text"]
    of_yesterday = {"http.method", "http.status_code", "http.target", "db.statement", "db.system", "db.name"}
    assert not of_yesterday & {name for span in seen.spans for name in span.attributes}


def test_spans_say_who_made_them_to_a_collector_that_asks_for_a_header(seen):
    resource = seen.spans[0].resource
    assert resource["service.name"] == "order-entry"
    assert {"service.version", "service.instance.id", "host.name"} <= set(resource)
    assert seen.headers["authorization"] == f"Bearer {CANARY}"


def test_an_order_created_by_hand_keeps_the_trace_of_its_request(seen):
    created = next(span for span in seen.spans if span.name == "POST order")
    assert created.parent_id == ""
    assert set(seen.kept) == {"ORD-KEPT"}
    _, trace_id, span_id, flags = str(seen.kept["ORD-KEPT"]).split("-")
    assert (trace_id, span_id) == created.ids
    assert int(flags, 16) & 1, "sampled"


def test_what_its_caller_does_not_sample_is_not_sampled_here_but_its_lines_bear_its_id(seen):
    assert seen.of("c") == []
    assert any(line.get("trace_id") == trace("c") for line in seen.console)


def test_probes_scrapes_and_styles_are_not_traced_nor_is_what_they_ask(seen):
    assert seen.of("d") == []
    # Their statements and look-ups would have no parent; what has none is a request.
    assert {span.kind for span in seen.spans if not span.parent_id} == {"SERVER"}
    # An order may be called like a probe.
    assert seen.of("b")[-1].attributes["url.path"] == "/order/health"


def test_what_fails_in_sql_is_told_and_traced_without_any_value(seen):
    failed = next(span for span in seen.spans if span.name == "INSERT" and span.status == "ERROR")
    assert failed.attributes["error.type"] == "psycopg.errors.CheckViolation"
    assert (failed.message, failed.events) == ("", [])
    (line,) = seen.sql_errors
    assert (line["statement"], line["sqlstate"]) == ("insert orders", "23514")
    assert (line["trace_id"], line["span_id"]) == (failed.trace_id, failed.parent_id)


def test_no_span_and_no_line_on_sql_holds_a_secret_or_a_value(seen):
    assert seen.of("e")
    assert CANARY not in repr(seen.spans)
    assert CANARY not in repr(seen.sql_errors)


def test_where_no_caller_has_decided_the_ratio_does_and_a_process_that_ends_sends_its_last_spans(
    postgresql, tmp_path
):
    with fresh_database(postgresql) as database, collector() as sink:
        settings = {
            "ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT": sink.url,
            "ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO": "0",
            "WEB_CONCURRENCY": "1",
        }
        with web(database.env, tmp_path, **settings) as url:
            requests.get(f"{url}/order/NONE", timeout=10)
            requests.get(f"{url}/order/NONE", headers=sampled("a"), timeout=10)
        assert {span.trace_id for span in sink.spans()} == {trace("a")}


@pytest.mark.long
@pytest.mark.parametrize("outage", [Collector.refuse, Collector.hang])
def test_without_its_collector_an_instance_serves_and_ends_as_quickly_as_with_it(
    postgresql, tmp_path, outage
):
    with fresh_database(postgresql) as database, collector() as sink:
        outage(sink)
        settings = {
            "ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT": sink.url,
            "ORDER_ENTRY__TELEMETRY__OTLP_TIMEOUT": "30s",
            "ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO": "1",
        }
        with web(database.env, tmp_path, **settings) as url:
            with requests.Session() as client:
                began = time.monotonic()
                for _ in range(50):
                    assert client.get(f"{url}/order/NONE", timeout=5).status_code == HTTPStatus.NOT_FOUND
                assert time.monotonic() - began < 5
            ends = time.monotonic()
        assert time.monotonic() - ends < 5
