from __future__ import annotations

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.runbook import from_the_command_line
from tests.waiting import wait_until


def route(router, key, body=None, *, order="ORD-1", timeout=5):
    headers = {"Idempotency-Key": key} if key else {}
    body = body or json.dumps({"orderId": order})
    return requests.post(f"{router.url}/route", data=body, headers=headers, timeout=timeout)


def totals(router):
    return router.executions()["totals"]


# Routing.


def test_an_order_gets_one_of_the_venues(simulate):
    router = simulate("simulate_router", "--venues", "XETRA-1, BATS-1")
    routes = {route(router, f"K{n}", order=f"ORD-{n}").json()["route"] for n in range(20)}
    assert routes == {"XETRA-1", "BATS-1"}


def test_the_same_key_has_the_same_answer_and_one_execution_however_many_ask_at_once(simulate):
    router = simulate("simulate_router", "--jitter-ms", "30")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: route(router, "K").json()["route"], range(40)))
    assert len(set(answers)) == 1
    report = router.get("/executions")
    assert report["keys"]["K"] == {
        "orderId": "ORD-1",
        "requests": 40,
        "executions": 1,
        "route": answers[0],
        "traceparent": None,
    }
    assert report["orders"]["ORD-1"] == {"requests": 40, "executions": 1}
    assert report["totals"]["executed_twice"] == 0


def test_the_same_key_with_another_body_is_refused_and_not_executed(simulate):
    router = simulate("simulate_router")
    assert route(router, "K", '{"orderId": "A", "price": 1}').status_code == 200
    conflict = route(router, "K", '{"orderId": "A", "price": 2}')
    assert conflict.status_code == 422
    assert "another body" in conflict.json()["detail"]
    assert totals(router)["executions"] == 1
    assert totals(router)["conflict"] == 1


def test_another_key_executes_an_order_again_and_that_shows(simulate):
    router = simulate("simulate_router")
    for key in ("A", "A:2"):
        route(router, key, order="A")
    report = router.get("/executions")
    assert report["orders"]["A"] == {"requests": 2, "executions": 2}
    assert report["totals"]["executed_twice"] == 1


def test_without_a_key_every_request_is_an_execution(simulate):
    router = simulate("simulate_router")
    for _ in range(3):
        route(router, None, order="A")
    assert router.get("/executions")["orders"]["A"] == {"requests": 3, "executions": 3}


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"orderId": 1}', '{"x": ' + "[" * 60_000])
def test_what_is_no_order_is_answered_400(simulate, body):
    answer = route(simulate("simulate_router"), "K", body)
    assert answer.status_code == 400
    assert "orderId" in answer.json()["detail"]


# Misbehaving.


def test_a_failing_router_answers_503_and_does_nothing(simulate):
    router = simulate("simulate_router", "--failure-rate", "1")
    assert route(router, "K").status_code == 503
    assert totals(router) == {"requests": 1, "executions": 0, "executed_twice": 0, "failure": 1}


def test_a_refused_order_stays_refused(simulate):
    router = simulate("simulate_router", "--refusal-rate", "1")
    assert route(router, "K").status_code == 422
    router.turn(refusal_rate=0)
    assert route(router, "K").status_code == 422
    assert route(router, "K:2").status_code == 200


def test_an_order_routed_before_is_not_refused_afterwards(simulate):
    router = simulate("simulate_router")
    first = route(router, "K")
    router.turn(refusal_rate=1)
    assert route(router, "K").json() == first.json()


def test_a_hanging_router_has_executed_and_never_answers(simulate):
    router = simulate("simulate_router", "--hang-rate", "1")
    with pytest.raises(requests.ReadTimeout):
        route(router, "K", timeout=0.5)
    assert totals(router)["executions"] == 1
    router.turn(hang_rate=0)
    assert route(router, "K").status_code == 200
    assert totals(router)["executions"] == 1


def test_a_dropping_router_has_executed_and_drops_the_line(simulate):
    router = simulate("simulate_router", "--drop-rate", "1")
    with pytest.raises(requests.ConnectionError):
        route(router, "K")
    assert totals(router) == {"requests": 1, "executions": 1, "executed_twice": 0, "drop": 1}


def test_a_babbling_router_answers_200_without_a_route(simulate):
    router = simulate("simulate_router", "--garbage-rate", "1")
    answer = route(router, "K")
    assert answer.status_code == 200
    assert "route" not in answer.json()
    assert totals(router)["executions"] == 0


def test_an_answer_takes_as_long_as_the_dials_say(simulate):
    router = simulate("simulate_router", "--latency-ms", "300")
    assert route(router, "K").elapsed.total_seconds() >= 0.3
    router.turn(latency_ms=0)
    assert route(router, "K").elapsed.total_seconds() < 0.3


def test_the_same_seed_misbehaves_in_the_same_way(simulate):
    def statuses(seed):
        router = simulate("simulate_router", "--seed", seed, "--failure-rate", "0.5", "--latency-ms", "0")
        return [route(router, f"K{n}").status_code for n in range(40)]

    assert statuses("7") == statuses("7") != statuses("8")


# Dials.


def test_dials_are_turned_one_by_one_and_shown(simulate):
    router = simulate("simulate_router", "--latency-ms", "1", "--drop-rate", "0.1")
    assert router.put("/dials", {"failure_rate": 0.25}).json() == router.get("/dials")
    dials = router.get("/dials")
    assert (dials["latency_ms"], dials["drop_rate"], dials["failure_rate"]) == (1, 0.1, 0.25)


@pytest.mark.parametrize(
    ("dials", "says"),
    [
        ({"failure_rate": 1.5}, "failure_rate"),
        ({"failure_rate": -0.1}, "failure_rate"),
        ({"failure_rate": "1"}, "failure_rate"),
        ({"latency_ms": None}, "latency_ms"),
        ({"latency": 1}, "latency"),
        ({"drop_rate": 0.6, "hang_rate": 0.6}, "add up to 1.2"),
        ({"drop_rate": 0.9}, "add up to 1.4"),
        ([], "dials"),
    ],
)
def test_a_dial_that_cannot_be_turned_so_is_refused_and_nothing_changes(simulate, dials, says):
    router = simulate("simulate_router", "--failure-rate", "0.5")
    before = router.get("/dials")
    answer = router.put("/dials", dials)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert router.get("/dials") == before


# The registry.


def test_a_service_can_be_moved_and_added_while_the_registry_runs(simulate):
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    for name in ("order-router", "risk"):
        registry.put(f"/services/{name}", {"endpoint": "http://two:2/"}).raise_for_status()
        assert registry.get(f"/services/{name}") == {"name": name, "endpoint": "http://two:2"}


def test_an_unknown_service_is_answered_404_as_json(simulate):
    answer = requests.get(simulate("simulate_registry").url + "/services/risk", timeout=5)
    assert answer.status_code == 404
    assert "'risk'" in answer.json()["detail"]


@pytest.mark.parametrize(
    "entry", [{}, {"endpoint": "router"}, {"endpoint": 1}, {"endpoint": "http://a", "x": 1}]
)
def test_what_is_no_endpoint_is_not_registered(simulate, entry):
    registry = simulate("simulate_registry")
    answer = registry.put("/services/risk", entry)
    assert answer.status_code == 422
    assert "http://host:port" in answer.json()["detail"]
    assert requests.get(registry.url + "/services/risk", timeout=5).status_code == 404


def test_a_failing_registry_answers_503(simulate):
    registry = simulate("simulate_registry", "--service", "a=http://one:1", "--failure-rate", "1")
    assert requests.get(registry.url + "/services/a", timeout=5).status_code == 503
    assert registry.get("/health") == {"status": "UP"}


# As processes.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["simulate_router", "simulate_registry"])
def test_a_simulator_needs_no_database_and_ends_cleanly_when_told_to(
    simulate_apart, command, number, tmp_path, monkeypatch
):
    monkeypatch.setenv("ORDER_ENTRY__DATABASE__SQL_HOST", "/no/such/folder")
    simulator = simulate_apart(command)
    assert simulator.get("/health") == {"status": "UP"}
    assert len(list(tmp_path.iterdir())) == 1
    assert simulator.end(number) == 0
    assert simulator.process.stdout.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_clients_that_went_away_leave_no_trace_and_it_ends_cleanly_while_a_request_hangs(simulate_apart):
    router = simulate_apart("simulate_router", "--hang-rate", "1")
    for n in range(3):
        with pytest.raises(requests.ReadTimeout):
            route(router, f"K{n}", timeout=0.1)
    with socket.create_connection(("127.0.0.1", int(router.url.rsplit(":", 1)[1]))) as line:
        body = b'{"orderId": "A"}'
        line.sendall(b"POST /route HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_until(lambda: totals(router)["requests"] == 4, what="the fourth request", patience=10)
        assert router.end() == 0
    assert router.process.stdout.read() == ""


@pytest.mark.parametrize("command", ["simulate_router", "simulate_registry"])
def test_a_port_in_use_is_said_to_be(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = from_the_command_line(command, "--port", port, "--port-file", str(tmp_path / "port"))
    assert answer.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in answer.errors
    assert not (tmp_path / "port").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["simulate_router", "--failure-rate", "2"], "--failure-rate: expected a rate from 0 to 1, got '2'"),
        (["simulate_router", "--drop-rate", "nan"], "--drop-rate: expected a rate from 0 to 1, got 'nan'"),
        (["simulate_router", "--latency-ms", "-1"], "--latency-ms: expected milliseconds from 0 to 600000"),
        (["simulate_router", "--port", "65536"], "--port: expected a port from 0 to 65535, got '65536'"),
        (
            ["simulate_router", "--port-file", "/no/such/folder/port"],
            "--port-file: expected a file in a folder",
        ),
        (["simulate_router", "--venues", "A,,B"], "--venues: expected names separated by commas"),
        (["simulate_router", "--drop-rate", "0.6", "--hang-rate", "0.6"], "the rates add up to 1.2"),
        (
            ["simulate_registry", "--service", "order-router"],
            "--service: expected NAME=URL, got 'order-router'",
        ),
        (["simulate_registry", "--service", "a=router:1"], "expected an endpoint such as http://host:8082"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_expected(arguments, says):
    answer = from_the_command_line(*arguments)
    assert answer.code
    assert says in answer.errors
