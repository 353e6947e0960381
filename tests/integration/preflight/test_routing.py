"""What preflight says of registry and router. The router must never be asked to route."""

from __future__ import annotations

import dns.rcode
import pytest

from order_entry_project.config.registry import StaticInstance
from order_entry_project.preflight import routing as checked
from tests.dns_server import dns_server, records
from tests.ports import free_port
from tests.scripted_server import ScriptedServer, always


@pytest.fixture
def answering():
    opened = []

    def start(body, **options):
        opened.append(ScriptedServer((always(body, **options),)))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


def entry(endpoint):
    return f'{{"name": "order-router", "endpoint": "{endpoint}"}}'.encode()


def test_a_registry_that_knows_a_router_that_answers_has_nothing_against_it(answering, configure, check):
    router = answering(b"")
    configure("service_registry", endpoint=answering(entry(router.url)).url)
    found = check(checked.findings)
    assert found.fine, found
    assert f"order-router is at {router.url}, says the registry" in repr(found)


def test_the_router_is_connected_to_and_asked_nothing(answering, configure, check):
    router = answering(b"")
    configure("service_registry", endpoint=answering(entry(router.url)).url)
    check(checked.findings)
    assert router.closed.wait(5)
    assert (router.connections, router.requests) == (1, [])


def test_a_registry_that_does_not_run_is_named(configure, check):
    configure("service_registry", endpoint=f"127.0.0.1:{free_port()}")
    failure = check(checked.findings).failure
    assert failure.key == "service_registry.endpoint"
    assert "Connection refused" in failure.found


def test_a_service_the_registry_does_not_know_is_told_from_a_broken_registry(answering, configure, check):
    configure("service_registry", endpoint=answering(b"{}", status="404 Not Found").url)
    failure = check(checked.findings).failure
    assert (failure.key, "knows no service" in failure.found) == ("service_registry.router_service", True)
    configure("service_registry", endpoint=answering(b"oops", status="500 Oops").url)
    failure = check(checked.findings).failure
    assert (failure.key, "answered 500" in failure.found) == ("service_registry.endpoint", True)


def test_a_registry_is_asked_once_not_thrice(answering, configure, check):
    registry = answering(b"oops", status="500 Oops")
    configure("service_registry", endpoint=registry.url)
    check(checked.findings)
    assert len(registry.requests) == 1


def test_a_router_that_does_not_run_is_named(answering, configure, check):
    port = free_port()
    configure("service_registry", endpoint=answering(entry(f"http://127.0.0.1:{port}")).url)
    failure = check(checked.findings).failure
    assert f"127.0.0.1:{port} cannot be reached" in failure.found


def test_of_several_routers_those_that_do_not_answer_are_warnings_while_one_does(answering, configure, check):
    router, port = answering(b""), free_port()
    instances = [StaticInstance(endpoint=url) for url in (router.url, f"http://127.0.0.1:{port}")]
    configure("service_registry", kind="static", instances=instances)
    warning = check(checked.findings).warning
    assert f"127.0.0.1:{port} cannot be reached" in warning.found


def test_a_name_that_dns_does_not_have_is_told_without_asking_any_registry(configure, check):
    with dns_server(records(rcode=dns.rcode.NXDOMAIN)) as server:
        configure("service_registry", kind="dns", dns_name="_{name}._tcp.example", nameserver=server.address)
        failure = check(checked.findings).failure
    assert failure.key == "service_registry.router_service"
    assert "no SRV records _order-router._tcp.example" in failure.found
