"""The keys of traces: what is understood, and what is refused with its reason and never with a secret."""

import pytest

from order_entry_project import config
from order_entry_project.config import ConfigError, Telemetry


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://traces.example/otlp/v1/traces", "https://traces.example/otlp/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_spans_are_posted_to_the_usual_path_unless_another_is_given(endpoint, url):
    assert Telemetry(otlp_endpoint=endpoint).traces_url == url


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("collector:4318", "expected a URL such as http://collector:4318"),
        ("grpc://collector:4317", "expected a URL such as http://collector:4318"),
        ("http://", "expected a URL such as http://collector:4318"),
        ("http://collector:0", "expected a URL such as http://collector:4318"),
        ("http://anna:canary@collector", "secrets go into otlp_headers"),
        ("http://collector/?key=canary", "secrets go into otlp_headers"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(monkeypatch, endpoint, why):
    monkeypatch.setenv("ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT", endpoint)
    with pytest.raises(ConfigError) as refused:
        config.load()
    assert "telemetry.otlp_endpoint: " in str(refused.value)
    assert why in str(refused.value)
    assert "canary" not in str(refused.value)


def test_headers_come_from_the_environment_one_by_one_and_are_not_shown(monkeypatch):
    monkeypatch.setenv("ORDER_ENTRY__TELEMETRY__OTLP_HEADERS__AUTHORIZATION", "Bearer canary")
    monkeypatch.setenv("ORDER_ENTRY__TELEMETRY__OTLP_HEADERS__X-API-KEY", "canary")
    telemetry = config.load().telemetry
    headers = {name: value.get_secret_value() for name, value in telemetry.otlp_headers.items()}
    assert headers == {"authorization": "Bearer canary", "x-api-key": "canary"}
    assert "canary" not in repr(telemetry)


@pytest.mark.parametrize(
    "endpoint", ["https://collector", "http://localhost:4318", "http://127.0.0.1", "http://[::1]"]
)
def test_headers_go_where_nobody_listens_in(endpoint):
    assert Telemetry(otlp_endpoint=endpoint, otlp_headers={"authorization": "canary"}).otlp_headers


@pytest.mark.parametrize("endpoint", ["http://collector:4318", "http://10.0.0.1", "http://127.example"])
def test_headers_on_a_plain_connection_to_another_machine_are_refused(monkeypatch, endpoint):
    monkeypatch.setenv("ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("ORDER_ENTRY__TELEMETRY__OTLP_HEADERS__AUTHORIZATION", "canary-3")
    with pytest.raises(ConfigError, match="otlp_headers go with an https:// otlp_endpoint") as refused:
        config.load()
    assert "canary-3" not in str(refused.value)


@pytest.mark.parametrize("header", [{"a b": "x"}, {"": "x"}, {"a": "x\ny"}, {"ä": "x"}, {"a": "é"}])
def test_what_is_no_header_is_refused(header):
    with pytest.raises(ValueError, match="expected names of letters, digits and hyphens"):
        Telemetry(otlp_headers=header)


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(ValueError, match="sampling_ratio"):
        Telemetry(sampling_ratio=ratio)
