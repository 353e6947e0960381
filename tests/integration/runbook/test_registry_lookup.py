"""`manage.py registry_lookup`."""

from __future__ import annotations

from functools import partial

import pytest

from tests.ports import free_port
from tests.runbook import run
from tests.simulated import simulated_registry


@pytest.fixture
def asking(configure):
    """`asking(key=value)`: the section service_registry so configured."""
    return partial(configure, "service_registry")


@pytest.fixture(scope="module")
def registry():
    with simulated_registry({"risk": "http://risk:1"}) as running:
        instances = [{"endpoint": "http://one:1", "weight": 3}, {"endpoint": "https://two:2"}]
        running.put("/services/order-router", {"instances": instances}).raise_for_status()
        yield running


def test_the_command_lists_the_instances_with_weight_and_health_and_who_says_so(asking, registry):
    asking(kind="consul", endpoint=registry.url)
    answer = run("registry_lookup")
    assert answer.code == 0
    assert answer.lines[0] == ["order-router,", "says", registry.url, "(consul)"]
    assert ["http://one:1", "3", "0", "UP", "yes"] in answer.lines


def test_what_is_not_called_is_shown_with_the_reason(asking, configure):
    asking(kind="static", instances=[{"endpoint": "http://one:1"}, {"endpoint": "https://two:2"}])
    configure("router", ca_cert="/ca.pem")
    answer = run("registry_lookup")
    assert ["https://two:2", "1", "0", "UP", "yes"] in answer.lines
    (other,) = [line for line in answer.lines if "http://one:1" in line]
    assert other[-1] == "no"
    assert "expected an https:// endpoint" in " ".join(other)


def test_the_command_says_the_same_to_machines(asking, registry):
    asking(endpoint=registry.url)
    assert run("registry_lookup", "--json", "risk").json == {
        "registry": {"kind": "http", "where": registry.url},
        "name": "risk",
        "endpoint": "http://risk:1",
        "instances": [{"endpoint": "http://risk:1", "weight": 1, "priority": 0, "health": "UP"}],
        "left_out": [],
    }


def test_the_command_tells_an_unknown_service_from_a_registry_that_does_not_answer(asking, registry):
    asking(endpoint=registry.url)
    unknown = run("registry_lookup", "nobody")
    assert (unknown.code, "knows no service 'nobody'" in unknown.errors) == (1, True)
    asking(endpoint=f"127.0.0.1:{free_port()}")
    away = run("registry_lookup")
    assert (away.code, "got no answer" in away.errors) == (1, True)
