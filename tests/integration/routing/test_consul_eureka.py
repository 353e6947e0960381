"""Registries that answer as Consul and Eureka do."""

from __future__ import annotations

import gzip
import json

import pytest

from routing.registries import consul, eureka, http
from routing.registries.asking import Asking
from routing.registries.consul import ConsulRegistry
from routing.registries.eureka import EurekaRegistry
from routing.registries.http import HttpRegistry
from routing.registry import Registry, RegistryUnavailable, ServiceUnknown
from tests.scripted_server import always


def listed(service):
    return [(one.endpoint, one.weight, one.health) for one in service.instances]


def left_out(service):
    return [(one.endpoint, one.health) for one in service.left_out]


# Consul.


def entry(
    address="", *, node="10.0.0.1", port=8082, service="order-router", weights=None, checks=("passing",)
):
    return {
        "Node": {"ID": "x", "Node": "n1", "Address": node, "Datacenter": "dc1", "Meta": {}},
        "Service": {
            "ID": f"{service}-1",
            "Service": service,
            "Tags": ["v1"],
            "Address": address,
            "Port": port,
            "Weights": weights,
            "EnableTagOverride": False,
        },
        "Checks": [{"CheckID": "c", "Status": status, "Output": ""} for status in checks],
    }


@pytest.fixture
def at_consul(serve):
    """`at_consul(entries)` → what a look-up makes of them; `.server` is the one that was asked."""

    def ask(entries, *, scheme="http", https_only=False, params=None, shown=dict, **answering):
        body = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
        ask.server = serve(always(body, **answering))
        asking = Asking(ask.server.url, consul.PATH, timeout=2, headers=shown)
        source = ConsulRegistry(asking, scheme=scheme, params=params or {}, https_only=https_only)
        try:
            return Registry(source).lookup_once("order-router")
        finally:
            source.close()

    return ask


def test_consul_s_service_without_an_address_is_at_its_node(at_consul):
    found = at_consul([entry("10.0.0.9", port=1), entry("", node="10.0.0.2", port=2)])
    assert [one.endpoint for one in found.instances] == ["http://10.0.0.2:2", "http://10.0.0.9:1"]


def test_consul_s_weights_are_those_of_the_worst_check(at_consul):
    weights = {"Passing": 10, "Warning": 2}
    found = at_consul(
        [
            entry("well", weights=weights, checks=("passing", "passing")),
            entry("warned", weights=weights, checks=("passing", "warning")),
            entry("unchecked", checks=()),
            entry("ill", checks=("warning", "critical", "passing")),
            entry("kept", checks=("maintenance",)),
        ]
    )
    assert listed(found) == [
        ("http://well:8082", 10, "UP"),
        ("http://warned:8082", 2, "warning"),
        ("http://unchecked:8082", 1, "UP"),
    ]
    assert sorted(left_out(found)) == [("http://ill:8082", "critical"), ("http://kept:8082", "critical")]


def test_consul_knows_a_service_only_where_it_lists_an_instance(at_consul):
    with pytest.raises(ServiceUnknown, match="lists no instance of 'order-router'"):
        at_consul([])
    with pytest.raises(ServiceUnknown, match="none of the 2 instances of 'order-router' is healthy"):
        at_consul([entry("a", checks=("critical",)), entry("b", checks=("critical",))])


def test_consul_is_asked_with_token_datacenter_and_tag(at_consul):
    at_consul([entry("a")], params={"dc": "dc 2", "tag": "v1"}, shown=lambda: {"X-Consul-Token": "t0k3n"})
    (request,) = at_consul.server.requests
    assert request.head.startswith(b"GET /v1/health/service/order-router?dc=dc+2&tag=v1 HTTP/1.1")
    assert request.headers["x-consul-token"] == "t0k3n"


def test_consul_s_addresses_of_ipv6_are_put_in_brackets_and_https_is_as_configured(at_consul):
    found = at_consul([entry("2001:db8::1", port=443)], scheme="https", https_only=True)
    assert found.endpoint == "https://[2001:db8::1]:443"


def test_an_instance_that_cannot_be_called_spoils_none_that_can(at_consul):
    found = at_consul([entry("good"), entry("no host"), entry("noport", port=0)])
    assert [one.endpoint for one in found.instances] == ["http://good:8082"]
    assert all("expected an endpoint" in health for _, health in left_out(found))
    assert len(found.left_out) == 2


def test_a_weight_is_within_bounds_whatever_is_said(at_consul):
    too_much, too_little = ({"Passing": passing, "Warning": 1} for passing in (10**30, -5))
    found = at_consul([entry("a", weights=too_much), entry("b", weights=too_little)])
    assert [one.weight for one in found.instances] == [65_535, 0]


def test_more_than_a_hundred_instances_are_not_called(at_consul):
    found = at_consul([entry(f"10.0.{n // 250}.{n % 250}") for n in range(150)])
    assert (len(found.instances), len(found.left_out)) == (100, 50)


@pytest.mark.parametrize(
    ("body", "options", "says"),
    [
        ([entry(service="other")], {}, "that is 'other'; asked for 'order-router'"),
        (b"<html>log in</html>", {}, "malformed"),
        (b'{"Node": {}}', {}, "array"),
        ([{"Node": {}}], {}, "Service"),
        ([entry(port=None)], {}, "Port"),
        ([entry("nowhere", port=0)], {}, "expected an endpoint"),
        (b"Permission denied", {"status": "403 Forbidden"}, "answered 403: b'Permission denied'"),
        (b"No path to datacenter", {"status": "500 Error"}, "No path to datacenter"),
        (b"x" * 1_100_000, {}, "more than 1048576 bytes"),
        (b"", {"status": "301 Moved", "headers": "Location: http://127.0.0.1:1/\r\n"}, "answered 301"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_another_answer_of_consul_is_unavailability_that_says_what_came(at_consul, body, options, says):
    with pytest.raises(RegistryUnavailable, match=says) as told:
        at_consul(body, **options)
    assert not isinstance(told.value, ServiceUnknown)
    assert len(str(told.value)) < 1000


def test_a_compressed_answer_is_read_and_a_compressed_flood_is_not(at_consul):
    compressed = {"headers": "Content-Encoding: gzip\r\n"}
    assert (
        at_consul(gzip.compress(json.dumps([entry("a")]).encode()), **compressed).endpoint == "http://a:8082"
    )
    with pytest.raises(RegistryUnavailable, match="more than 1048576 bytes"):
        at_consul(gzip.compress(bytes(9_000_000)), **compressed)


# Eureka.


def instance(host="router-1", *, status="UP", port=8082, enabled="true", secure=443, secured="false", **more):
    return {
        "instanceId": f"{host}:order-router:{port}",
        "hostName": host,
        "app": "ORDER-ROUTER",
        "ipAddr": "10.0.0.1",
        "status": status,
        "overriddenStatus": "UNKNOWN",
        "port": {"$": port, "@enabled": enabled},
        "securePort": {"$": secure, "@enabled": secured},
        "metadata": {"@class": "java.util.Collections$EmptyMap"},
        **more,
    }


@pytest.fixture
def at_eureka(serve):
    """`at_eureka(instances)` → what a look-up makes of them; `.server` is the one that was asked."""

    def ask(instances, *, name="ORDER-ROUTER", scheme=None, https_only=False, path=eureka.PATH, **answering):
        document = {"application": {"name": name, "instance": instances}}
        body = instances if isinstance(instances, bytes) else json.dumps(document).encode()
        ask.server = serve(always(body, **answering))
        source = EurekaRegistry(Asking(ask.server.url, path, timeout=2), scheme=scheme, https_only=https_only)
        try:
            return Registry(source).lookup_once("order-router")
        finally:
            source.close()

    return ask


def test_eureka_s_instances_that_are_up_are_called_and_the_others_are_not(at_eureka):
    found = at_eureka([instance(status=status, host=status.lower()) for status in ("STARTING", "UP", "DOWN")])
    assert listed(found) == [("http://up:8082", 1, "UP")]
    assert left_out(found) == [("http://starting:8082", "STARTING"), ("http://down:8082", "DOWN")]


@pytest.mark.parametrize("port", [{"$": 8082, "@enabled": "true"}, {"$": "8082", "@enabled": True}])
def test_eureka_s_single_instance_may_come_alone_and_its_numbers_as_text(at_eureka, port):
    assert at_eureka(instance(port=8082) | {"port": port}).endpoint == "http://router-1:8082"


def test_eureka_s_secure_port_is_used_where_it_alone_is_open_or_https_is_called_for(at_eureka):
    only_secure = instance(enabled="false", secured="true", secure=8443)
    both = instance(secured="true", secure=8443)
    assert at_eureka([only_secure]).endpoint == "https://router-1:8443"
    assert at_eureka([both]).endpoint == "http://router-1:8082"
    assert at_eureka([both], scheme="https").endpoint == "https://router-1:8443"
    assert at_eureka([both], https_only=True).endpoint == "https://router-1:8443"
    with pytest.raises(RegistryUnavailable, match="expected an endpoint"):
        at_eureka([instance()], https_only=True)


def test_eureka_s_instance_without_a_host_name_is_at_its_address(at_eureka):
    assert at_eureka([instance(host="")]).endpoint == "http://10.0.0.1:8082"


def test_eureka_is_asked_for_json_at_the_path_that_is_configured(at_eureka):
    at_eureka([instance()], path="/eureka/v2/apps/{name}")
    (request,) = at_eureka.server.requests
    assert request.head.startswith(b"GET /eureka/v2/apps/order-router HTTP/1.1")
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize("instances", [[], [instance(status="OUT_OF_SERVICE")]])
def test_eureka_knows_a_service_only_while_an_instance_is_up(at_eureka, instances):
    with pytest.raises(
        ServiceUnknown, match=f"none of the {len(instances)} instances of 'order-router' is UP"
    ):
        at_eureka(instances)


def test_eureka_s_404_says_that_there_is_no_such_service(at_eureka):
    with pytest.raises(ServiceUnknown, match="answered 404"):
        at_eureka(b"", status="404 Not Found")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<application><name>ORDER-ROUTER</name></application>", "XML or HTML; expected JSON"),
        (b"<!doctype html><title>Sign in</title>", "XML or HTML; expected JSON"),
        (b'{"applications": {}}', "application"),
        (b'{"application": {"name": "OTHER", "instance": []}}', "that is 'OTHER'; asked for 'order-router'"),
        (b"", "truncated"),
    ],
)
def test_another_answer_of_eureka_is_unavailability_that_says_what_came(at_eureka, body, says):
    with pytest.raises(RegistryUnavailable, match=says) as told:
        at_eureka(body)
    assert not isinstance(told.value, ServiceUnknown)


# The simulated registry speaks the language of each.


def test_the_simulated_registry_answers_as_consul_and_eureka_do(simulate):
    simulator = simulate("simulate_registry")
    entry = {"instances": [{"endpoint": "http://one:1", "weight": 5}, {"endpoint": "http://two:2"}]}
    simulator.put("/services/order-router", entry).raise_for_status()
    sources = [
        ConsulRegistry(
            Asking(simulator.url, consul.PATH, timeout=2), scheme="http", params={}, https_only=False
        ),
        EurekaRegistry(Asking(simulator.url, eureka.PATH, timeout=2), scheme=None, https_only=False),
        HttpRegistry(Asking(simulator.url, http.PATH, timeout=2), https_only=False),
    ]
    found = [Registry(source).lookup_once("order-router") for source in sources]
    assert [[one.weight for one in each.instances] for each in found] == [[5, 1], [1, 1], [5, 1]]
    assert {one.endpoint for each in found for one in each.instances} == {"http://one:1", "http://two:2"}
    for source in sources:
        with pytest.raises(ServiceUnknown):
            source.ask("risk")
        source.close()
