"""A real Prometheus scrapes a working instance: the right values, and everything in `deploy/` that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests
import trustme

from tests import promql
from tests.acceptance.system import System, system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.checkout import ROOT
from tests.ports import free_port
from tests.servers import prometheus
from tests.servers.prometheus import Prometheus
from tests.waiting import wait_until

# In all that comes from outside: senders, callers.
CANARY = "XYZZY"
CONSUMERS, WEB = "order-entry-consumers", "order-entry-web"
HTTPS = {"X-Forwarded-Proto": "https"}
# Not ours to list one by one.
LIBRARIES = ("process_", "python_", "django_")
NOT_OURS = {"__name__", "job", "instance", "le"}
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([\w, ]*)\|.*\| ([\w, ]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Monitored:
    """`consumed`, `routed`, … : what was sent, and has been worked off."""

    made: System
    prometheus: Prometheus
    routed: int = 200
    duplicates: int = 20
    refused: int = 3

    @property
    def consumed(self) -> int:
        return self.routed + self.duplicates + self.refused + 2  # one unreadable, one that SQL refuses


@pytest.fixture
def monitored(database, tmp_path) -> Iterator[Monitored]:
    certificate = tmp_path / "client.pem"
    trustme.CA().issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(certificate)
    config = {
        "TELEMETRY__METRICS_PORT": str(free_port()),
        "API__HTTPS_ONLY": "true",  # a scrape comes without the proxy, a visit through it
        "API__TRUSTED_PROXIES": '["127.0.0.1/32"]',
        "AEROSPIKE__CLIENT_CERT": str(certificate),
    }
    with ExitStack() as stack:
        made = stack.enter_context(system(database, tmp_path, **config))
        made.start("consume_orders", "--processes", "2")
        url = stack.enter_context(web(made.env, tmp_path))
        targets = {
            CONSUMERS: f"127.0.0.1:{config['TELEMETRY__METRICS_PORT']}",
            WEB: url.removeprefix("http://"),
        }
        server = stack.enter_context(prometheus.running(tmp_path, targets, promql.RULES))
        monitored = Monitored(made, server)
        wait_until(
            lambda: server.value("sum(worker_processes_ready)") == 2 and server.value("sum(sql_up)") == 1,
            what="Prometheus has scraped both",
        )
        _load(monitored, url)
        yield monitored


def _visit(url: str) -> None:
    for number in range(20):
        requests.get(f"{url}/order/{CANARY}-{number:04}", headers=HTTPS, timeout=5)
        requests.get(f"{url}/{CANARY}/{number}?{CANARY}={number}", headers=HTTPS, timeout=5)
        requests.request(f"{CANARY}{number}", f"{url}/order/{CANARY}", headers=HTTPS, timeout=5)


def _load(monitored: Monitored, url: str) -> None:
    """Visits, and orders of every fate, and until Prometheus has seen the last of them."""
    made, server = monitored.made, monitored.prometheus

    def order(number: int, **changes: Any) -> tuple[str, bytes]:
        changes = {"symbol": f"{CANARY}{number}", "counterparty": f"{CANARY}-{number}"} | changes
        return f"m-{CANARY}-{number}", body(f"{CANARY}-{number:04}", **changes)

    with made.database.connect() as connection:
        connection.execute("ALTER TABLE orders ADD CONSTRAINT no_lemons CHECK (symbol <> 'LEMON')")
    orders = [order(number) for number in range(monitored.routed)]
    made.publish(*orders, *orders[: monitored.duplicates], (f"{CANARY}-bad", CANARY.encode()))
    wait_until(lambda: made.statuses() == {"ROUTED": monitored.routed}, what="they are routed")
    _visit(url)
    made.publish(order(1000, symbol="LEMON"))
    wait_until(
        lambda: made.rows("SELECT FROM rejected_messages WHERE reason = 'POISON'"), what="SQL refused it"
    )
    made.router.turn(refusal_rate=1)
    made.publish(*(order(2000 + number) for number in range(monitored.refused)))
    everything = [
        f"sum(orders_consumed_total) == {monitored.consumed}",
        f"sum(orders_parked_total) == {monitored.refused}",
        f"sum(publications_total) == {monitored.routed}",
        f"max(orders_in_review) == {monitored.refused}",
        "sum(messages_rejected_total) == 2 and sum(rejected_messages) == 2",
        "order_entry:parked:ratio_rate5m > 0",
    ]
    for expression in everything:
        wait_until(partial(server.query, expression), what=f"Prometheus has {expression}")


def every_metric_of_the_spec_has_the_right_value_as_prometheus_has_it(monitored):
    expected = {
        f'sum(orders_consumed_total{{queue="{monitored.made.queue}"}})': monitored.consumed,
        "sum(orders_routed_total)": monitored.routed,
        "sum(order_entry_latency_ms_count)": monitored.routed,
        'sum(order_entry_latency_ms_bucket{le="+Inf"})': monitored.routed,
        # A single row is tried mq.max_retries times.
        'sum(sql_write_errors_total{statement="place", sqlstate="23514"})': 3,
        "sum(sql_write_errors_total)": 3,
        'sum(router_api_latency_ms_count{outcome="ACCEPTED"})': monitored.routed,
        'sum(router_api_latency_ms_count{outcome="REFUSED"})': monitored.refused,
        "sum(router_api_latency_ms_count)": monitored.routed + monitored.refused,
    }
    assert {expression: monitored.prometheus.value(expression) for expression in expected} == expected
    for histogram in ("order_entry_latency_ms", "router_api_latency_ms", "aerospike_write_latency_ms"):
        median = monitored.prometheus.value(f"histogram_quantile(0.5, sum by (le) ({histogram}_bucket))")
        mean = monitored.prometheus.value(f"sum({histogram}_sum) / sum({histogram}_count)")
        assert 0.01 < median < 5000, histogram
        assert 0.01 < mean < 5000, histogram
    # A batch is placed, then settled: at least one write each, at most one each per order.
    writes = monitored.prometheus.value(f'aerospike_write_latency_ms_count{{job="{CONSUMERS}"}}')
    assert 2 <= writes <= 2 * monitored.consumed


def so_has_what_the_design_adds(monitored):
    expected = {
        "sum(orders_duplicate_total)": monitored.duplicates,
        'sum(messages_rejected_total{reason="UNREADABLE"})': 1,
        'sum(messages_rejected_total{reason="POISON"})': 1,
        'sum(orders_parked_total{waits_for="person"})': monitored.refused,
        'sum(publications_total{outcome="confirmed"})': monitored.routed,
        'sum(order_stage_latency_ms_count{stage="publish"})': monitored.routed,
        "max(orders_pending)": monitored.refused,
        "max(orders_placed)": 0,
        "max(outbox_unpublished)": 0,
        "max(queue_depth)": 0,
        "router_breaker_open": 0,
        "router_calls_in_flight": 0,
        "worker_processes": 2,
        "worker_processes_ready": 2,
        "sum(worker_restarts_total)": 0,
        'max(oldest_pending_age_seconds{waits_for="machine"})': 0,
        'max(oldest_pending_age_seconds{waits_for="person"}) > bool 0': 1,
        'django_http_responses_total_by_status_view_method_total{view="order", method="GET", status="200"}': 20,
    }
    assert {expression: monitored.prometheus.value(expression) for expression in expected} == expected


def _strangers(server: Prometheus, expression: str) -> list[str]:
    """The selectors of it that name no series there is. Fails where Prometheus cannot evaluate it."""
    server.query(expression)
    return [
        selector
        for selector in sorted(promql.selectors(expression))
        if not server.get("series", **{"match[]": selector})
    ]


def every_panel_asks_for_series_that_there_are(monitored):
    asked = [
        promql.as_grafana_asks(target["expr"]) for panel in promql.panels() for target in panel["targets"]
    ]
    assert len(asked) > 50
    strange = {expression: _strangers(monitored.prometheus, expression) for expression in asked}
    assert {expression: names for expression, names in strange.items() if names} == {}


def every_rule_asks_for_series_that_there_are(monitored):
    strange = {rule["expr"]: _strangers(monitored.prometheus, rule["expr"]) for rule in promql.rules()}
    assert {expression: names for expression, names in strange.items() if names} == {}
    for group in monitored.prometheus.get("rules")["groups"]:
        assert {rule["name"]: rule.get("lastError") for rule in group["rules"]} == {
            rule["name"]: None for rule in group["rules"]
        }


def no_label_holds_what_comes_from_outside(monitored):
    series = monitored.prometheus.get("series", **{"match[]": '{job=~".+"}'})
    assert len(series) > 500
    values = {value for labels in series for value in labels.values()}
    assert not [value for value in values if CANARY in value.upper()]
    assert len(series) < 2000


def _documented() -> dict[str, dict[str, tuple[str, set[str]]]]:
    """By job: type and labels of each metric of docs/monitoring.md's table."""
    found: dict[str, dict[str, tuple[str, set[str]]]] = {CONSUMERS: {}, WEB: {}}
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    for name, kind, labels, where in _ROW.findall(page):
        for instance in where.split(", "):
            job = {"consumers": CONSUMERS, "web": WEB}[instance]
            found[job][name] = (kind, set(re.findall(r"\w+", labels)))
    return found


def _declared(server: Prometheus, job: str) -> dict[str, str]:
    """Type by name, as series bear it: OpenMetrics declares a counter or an info without its ending."""
    found = {}
    for each in server.get("targets/metadata", match_target=f'{{job="{job}"}}'):
        name, kind = each["metric"], each["type"]
        if kind == "info":
            name, kind = f"{name}_info", "gauge"
        if kind == "counter":
            name = f"{name.removesuffix('_total')}_total"
        if not name.startswith(LIBRARIES):
            found[name] = kind
    return found


def the_page_on_monitoring_lists_what_there_is(monitored):
    for job, documented in _documented().items():
        assert _served(monitored.prometheus, job) == documented, job


def _served(server, job):
    served = {}
    for name, kind in _declared(server, job).items():
        pattern = f'{{__name__=~"{name}(_bucket|_sum|_count)?", job="{job}"}}'
        series = server.get("series", **{"match[]": pattern})
        served[name] = (kind, {label for each in series for label in each} - NOT_OURS)
    return served


@pytest.mark.long
def test_a_real_prometheus_finds_what_is_said_to_be_there(monitored, subtests):
    """One test of several: what they look at takes a while to set up, and would for each process of the run."""
    for finding in (
        every_metric_of_the_spec_has_the_right_value_as_prometheus_has_it,
        so_has_what_the_design_adds,
        every_panel_asks_for_series_that_there_are,
        every_rule_asks_for_series_that_there_are,
        no_label_holds_what_comes_from_outside,
        the_page_on_monitoring_lists_what_there_is,
    ):
        with subtests.test(finding.__name__):
            finding(monitored)
