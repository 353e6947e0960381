"""The section service_registry: what goes with which kind, and that its token is kept."""

from __future__ import annotations

import re
import textwrap

import pytest
import yaml
from django.conf import settings
from pydantic import ValidationError

from order_entry_project.config import Config, Service, ServiceRegistry
from order_entry_project.secrets.sources import credentials
from orders.credentials import CredentialsUnavailable
from routing.registries.choice import configured
from routing.registries.consul import ConsulRegistry
from routing.registries.dns_srv import DnsRegistry
from routing.registries.eureka import EurekaRegistry
from routing.registries.http import HttpRegistry
from routing.registries.static import StaticRegistry
from tests.checkout import ROOT

ROUTERS = [{"endpoint": "http://one:1", "weight": 2}, {"endpoint": "http://two:2/"}]


@pytest.fixture
def in_force(monkeypatch):
    """`in_force(key=value)`: the section so configured."""

    def put(*, router=None, **keys):
        config = Config(service_registry=keys, router=router or {})
        monkeypatch.setattr(settings, "CONFIG", config)
        monkeypatch.setattr(settings, "CREDENTIALS", credentials(config))

    return put


@pytest.mark.parametrize(
    ("keys", "kind", "where"),
    [
        ({}, HttpRegistry, "http://127.0.0.1:8090"),
        ({"kind": "consul", "endpoint": "consul:8500"}, ConsulRegistry, "http://consul:8500"),
        ({"kind": "eureka", "endpoint": "https://eureka"}, EurekaRegistry, "https://eureka"),
        ({"kind": "static", "instances": ROUTERS}, StaticRegistry, "service_registry.instances"),
        ({"kind": "dns", "dns_name": "_{name}._tcp.internal"}, DnsRegistry, "DNS"),
        (
            {"kind": "dns", "dns_name": "_x._tcp.internal", "nameserver": "[::1]:5353"},
            DnsRegistry,
            "DNS at ::1:5353",
        ),
    ],
)
def test_the_kind_that_is_configured_is_asked(in_force, keys, kind, where):
    in_force(**keys)
    source = configured()
    assert (type(source), source.where) == (kind, where)
    source.close()


def test_static_instances_are_found_as_they_stand_there_the_heaviest_first(in_force):
    in_force(kind="static", instances=ROUTERS)
    found = configured().ask("order-router")
    assert [(one.endpoint, one.weight) for one in found.instances] == [
        ("http://one:1", 2),
        ("http://two:2", 1),
    ]
    assert (found.name, found.endpoint) == ("order-router", "http://one:1")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"kind": "zookeeper"}, "'http', 'consul', 'eureka', 'static' or 'dns'"),
        ({"kind": "static"}, "instances: expected at least one"),
        ({"kind": "dns"}, "dns_name: expected the name of SRV records"),
        (
            {"kind": "dns", "dns_name": "x", "endpoint": "a:1"},
            "endpoint goes with kind http or consul or eureka",
        ),
        ({"kind": "static", "instances": ROUTERS, "token": "t"}, "token goes with kind"),
        ({"datacenter": "dc1"}, "datacenter goes with kind consul, not http"),
        ({"kind": "eureka", "tag": "v1"}, "tag goes with kind consul, not eureka"),
        ({"scheme": "https"}, "scheme goes with kind consul or eureka or dns, not http"),
        ({"instances": ROUTERS}, "instances goes with kind static, not http"),
        ({"kind": "static", "instances": [{"endpoint": "one:1"}]}, "such as http://host:8082"),
        (
            {"kind": "static", "instances": [{"endpoint": "http://a", "weight": -1}]},
            "greater than or equal to 0",
        ),
        ({"kind": "dns", "dns_name": "x", "nameserver": "ns.internal"}, "such as 10.0.0.53:53"),
        ({"kind": "dns", "dns_name": "x", "nameserver": "10.0.0.1:x"}, "such as 10.0.0.53:53"),
        ({"kind": "consul", "token": "t", "token_file": "/f"}, "token or token_file, not both"),
        ({"path": "/x"}, "holds {name}"),
        ({"kind": "dns", "dns_name": "x", "ca_cert": "/ca.pem"}, "go with an https:// endpoint"),
    ],
)
def test_what_does_not_go_together_is_refused(keys, says):
    with pytest.raises(ValidationError, match=says):
        ServiceRegistry(**keys)


def test_a_token_is_shown_to_each_kind_as_it_asks_for_it(in_force):
    in_force(kind="consul", token="canary")
    source = configured()
    assert source._asking._headers() == {"X-Consul-Token": "canary"}
    source.close()
    in_force(token="canary")
    source = configured()
    assert source._asking._headers() == {"Authorization": "Bearer canary"}
    source.close()
    assert "canary" not in repr(settings.CONFIG)


def test_a_token_in_a_file_is_read_again_when_it_changes(in_force, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    in_force(kind="consul", token_file=file)
    source = configured()
    assert source._asking._headers() == {"X-Consul-Token": "first"}
    file.write_text("second one")
    assert source._asking._headers() == {"X-Consul-Token": "second one"}
    source.close()


def test_a_token_that_no_header_can_hold_is_not_shown_to_anyone(in_force, tmp_path):
    (tmp_path / "token").write_text("can\r\nary")
    in_force(kind="consul", token_file=tmp_path / "token")
    with pytest.raises(CredentialsUnavailable, match="visible ASCII") as told:
        settings.CREDENTIALS.registry.current()
    assert "ary" not in str(told.value)


def test_a_token_that_would_cross_the_network_in_clear_is_refused_unless_that_is_asked_for():
    far = ServiceRegistry(kind="consul", endpoint="consul.internal:8500", token="canary")
    with pytest.raises(ValidationError, match="the token goes with an https:// endpoint"):
        Config(service_registry=far)
    Config(service_registry=far, service=Service(plain_text_credentials=True))
    Config(service_registry=far.model_copy(update={"endpoint": "https://consul.internal:8501"}))
    Config(service_registry=far.model_copy(update={"endpoint": "localhost:8500"}))


def test_the_examples_of_the_page_about_registries_can_be_used(in_force):
    page = (ROOT / "docs" / "registries.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    service_registry:\n(?:^      .*\n)+", page, re.MULTILINE)
    sections = [yaml.safe_load(textwrap.dedent(example))["service_registry"] for example in examples]
    assert [section["kind"] for section in sections] == ["consul", "static", "dns"]
    for section in sections:
        in_force(**section)
        configured().close()
