"""What a running instance shows of itself: one endpoint for all its processes, also after one has died."""

import os
import signal
from pathlib import Path

import pytest
import requests
import trustme
from prometheus_client.parser import text_string_to_metric_families

from consumers import certificates
from consumers.certificates import CertificateFile
from tests.acceptance.system import system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.ports import free_port
from tests.waiting import wait_until


@pytest.fixture
def measured(database, tmp_path):
    port = free_port()
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    keys = {
        "TELEMETRY__METRICS_PORT": str(port),
        "SERVICE__HANG_TIMEOUT": "3s",
        # Of a store that is not in use: only its certificate is looked at.
        "REDIS__URL": "rediss://127.0.0.1",
        "REDIS__CA_CERT": str(ca),
    }
    with system(database, tmp_path, **keys) as made:
        made.url = f"http://127.0.0.1:{port}"
        made.ca_ends = certificates.read(CertificateFile("redis.ca_cert", ca, None))[0].not_after.timestamp()
        yield made


def orders(count, prefix="ORD"):
    return [(f"m-{prefix}-{number}", body(f"{prefix}-{number:04}")) for number in range(count)]


def samples(made):
    text = requests.get(f"{made.url}/metrics", timeout=5).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(made, name, **labels):
    return samples(made).get((name, tuple(sorted(labels.items()))), 0)


def ready(made):
    try:
        return requests.get(f"{made.url}/health/ready", timeout=5).status_code
    except requests.ConnectionError:
        return None


def workers(pid):
    """The children that consume, by their start; the exporter is the last."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_specs_metrics_have_the_right_values_over_two_processes_and_after_one_died(measured):
    supervisor = measured.start("consume_orders", "--processes", "2")
    wait_until(lambda: ready(measured) == 200, what="both workers are ready")
    measured.publish(*orders(200), *orders(20), ("m-bad", b"no order"))
    wait_until(lambda: value(measured, "orders_routed_total") == 200, what="200 are counted as routed")

    seen = samples(measured)
    assert seen["orders_consumed_total", (("queue", measured.queue),)] == 221
    assert seen["orders_duplicate_total", ()] == 20
    assert seen["messages_rejected_total", (("reason", "UNREADABLE"),)] == 1
    assert seen["order_entry_latency_ms_count", ()] == 200
    assert seen["router_api_latency_ms_count", (("outcome", "ACCEPTED"),)] == 200
    assert seen["publications_total", (("outcome", "confirmed"),)] == 200
    assert seen["aerospike_write_latency_ms_count", (("store", "postgresql"),)] > 0
    assert not any(name == "sql_write_errors_total" for name, _ in seen)
    assert [seen[key] for key in seen if key[0] == "order_entry_build_info"] == [1], (
        "one build, however many run it"
    )
    assert (
        seen["certificate_expiry_timestamp_seconds", (("certificate", "redis.ca_cert"),)] == measured.ca_ends
    )

    os.kill(workers(supervisor.pid)[0], signal.SIGKILL)
    measured.publish(*orders(100, prefix="MORE"))
    wait_until(lambda: value(measured, "orders_routed_total") == 300, what="nothing counted is forgotten")
    wait_until(lambda: ready(measured) == 200, what="a new worker is ready")
    assert value(measured, "worker_restarts_total", cause="ended") == 1
    assert value(measured, "orders_consumed_total", queue=measured.queue) >= 321


def test_a_worker_whose_loop_hangs_is_not_ready_and_is_replaced(measured):
    supervisor = measured.start("consume_orders", "--processes", "1")
    wait_until(lambda: ready(measured) == 200, what="the worker is ready")
    hanging = workers(supervisor.pid)[0]
    os.kill(hanging, signal.SIGSTOP)
    wait_until(lambda: hanging not in workers(supervisor.pid), what="it is killed", patience=20)
    wait_until(lambda: ready(measured) == 200, what="another one is ready")
    assert "hangs, it is killed" in supervisor.log.read_text()
    assert value(measured, "worker_restarts_total", cause="hung") == 1
    assert value(measured, "worker_restarts_total", cause="ended") == 0
    assert value(measured, "worker_processes_ready") == 1


@pytest.mark.long
def test_statements_that_fail_are_counted_by_name_and_state(measured):
    with measured.database.connect() as connection:
        connection.execute("ALTER TABLE orders ADD CONSTRAINT no_lemons CHECK (symbol <> 'LEMON')")
    measured.start("consume_orders")
    wait_until(lambda: ready(measured) == 200, what="the worker is ready")
    measured.publish(("m-1", body("ORD-1", symbol="LEMON")))
    wait_until(
        lambda: value(measured, "sql_write_errors_total", statement="place", sqlstate="23514") >= 3,
        what="the refusals are counted",
    )


def _of_status(made):
    asked = "django_http_requests_total_by_view_transport_method_total"
    return value(made, asked, view="order", transport="http", method="GET")


def test_the_web_instance_counts_its_requests_over_its_processes_and_says_what_waits(measured):
    measured.router.turn(refusal_rate=1)
    measured.publish(*orders(7), ("m-bad", b"no order"))
    measured.drain()
    with web(measured.env, measured.folder) as url:
        for _ in range(20):
            assert requests.get(f"{url}/order/ORD-0001", timeout=5).ok
        measured.url = url
        # Each process says what it has counted a moment later.
        wait_until(lambda: _of_status(measured) >= 20, what="all of them are counted")
        seen = samples(measured)
        assert _of_status(measured) == 20
    assert seen["orders_in_review", ()] == seen["orders_pending", ()] == 7
    assert seen["rejected_messages", (("reason", "UNREADABLE"),)] == 1
    assert (seen["sql_up", ()], seen["outbox_unpublished", ()]) == (1, 0)
    assert seen["oldest_pending_age_seconds", (("waits_for", "person"),)] > 0
    assert seen["oldest_pending_age_seconds", (("waits_for", "machine"),)] == 0
