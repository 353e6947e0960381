"""Certificates in the configuration, and passwords that it would send in clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from order_entry_project.config import (
    Config,
    Database,
    Mq,
    Redis,
    Router,
    Safeguard,
    Service,
    ServiceRegistry,
    Telemetry,
)
from order_entry_project.postgresql.tls import tls_options

PEM = Path("/etc/certs/some.pem")
FAR = {"sql_host": "db.trading.internal"}


@pytest.mark.parametrize(
    ("section", "keys", "says"),
    [
        (Database, FAR | {"client_key": PEM}, "client_key goes with client_cert"),
        (Database, FAR | {"ca_cert": PEM, "sslmode": "disable"}, "go with sslmode verify-full"),
        (Database, FAR | {"ca_cert": PEM, "sslmode": "require"}, "ca_cert goes with sslmode verify-full"),
        (Database, {"sql_host": "/run/postgresql", "ca_cert": PEM}, "here is a Unix socket"),
        (Database, FAR | {"sslmode": "verify-ca"}, "'disable', 'require' or 'verify-full'"),
        (Mq, {"broker_url": "amqp://mq", "ca_cert": PEM}, "go with an amqps:// broker_url"),
        (Router, {"client_key": PEM}, "client_key goes with client_cert"),
        (ServiceRegistry, {"endpoint": "registry:8090", "client_cert": PEM}, "go with an https:// endpoint"),
        (ServiceRegistry, {"endpoint": "https://registry", "client_key": PEM}, "goes with client_cert"),
        (ServiceRegistry, {"endpoint": "ftp://registry"}, "expected an endpoint such as http://host:8082"),
        (ServiceRegistry, {"endpoint": "http://anna:canary@registry"}, "without user and password"),
        (
            Telemetry,
            {"otlp_endpoint": "http://collector:4318", "ca_cert": PEM},
            "go with an https:// otlp_endpoint",
        ),
    ],
)
def test_certificates_that_would_not_be_used_are_refused(
    section: type[BaseModel], keys: dict[str, object], says: str
):
    with pytest.raises(ValidationError, match=says):
        section(**keys)


@pytest.mark.parametrize(
    ("keys", "mode"),
    [
        ({"sql_host": "/run/postgresql"}, "prefer"),
        ({"sql_host": "127.0.0.1"}, "prefer"),
        ({"sql_host": "::1"}, "prefer"),
        (FAR, "require"),
        ({"sql_host": "10.1.2.3"}, "require"),
        (FAR | {"ca_cert": PEM}, "verify-full"),
        (FAR | {"client_cert": PEM}, "verify-full"),
        ({"sql_host": "localhost", "ca_cert": PEM}, "verify-full"),
        (FAR | {"sslmode": "disable"}, "disable"),
        (FAR | {"sslmode": "verify-full"}, "verify-full"),
    ],
)
def test_another_host_is_never_spoken_to_without_tls_unless_that_is_asked_for(
    keys: dict[str, object], mode: str
):
    section = Database(**keys)
    assert section.tls_mode == tls_options(section)["sslmode"] == mode


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"mq": Mq(broker_url="amqp://me:canary@mq.internal:5672")}, "amqps:// broker_url, or a client_cert"),
        ({"mq": Mq(broker_url="amqp://mq.internal", username="me", password="canary")}, "broker's password"),
        ({"mq": Mq(broker_url="amqp://localhost,mq.internal", username="me", password_file=PEM)}, "broker's"),
        (
            {
                "mq": Mq(broker_url="amqp://mq.internal", username="me"),
                "safeguard": Safeguard(mq_api_key="x"),
            },
            "broker's",
        ),
        ({"database": Database(sslmode="disable", sql_password="canary", **FAR)}, "sslmode require"),
        ({"database": Database(sslmode="disable", credentials_source="safeguard", **FAR)}, "database"),
        ({"redis": Redis(url="redis://:canary@redis.internal")}, "rediss:// url"),
        ({"redis": Redis(url="redis://redis.internal", password="canary")}, "redis"),
    ],
)
def test_a_password_that_would_cross_the_network_in_clear_is_refused_unless_that_is_asked_for(sections, says):
    with pytest.raises(ValidationError, match=says) as refused:
        Config(**sections)
    assert "Set service.plain_text_credentials" in str(refused.value)
    assert "canary" not in refused.value.errors()[0]["msg"]
    Config(**sections, service=Service(plain_text_credentials=True))


@pytest.mark.parametrize(
    "sections",
    [
        {"mq": Mq(broker_url="amqp://mq.internal", client_cert=PEM, username="me", password="x")},
        {"mq": Mq(broker_url="amqps://me:x@mq.internal")},
        {"mq": Mq(broker_url="amqp://me:x@127.0.0.1,localhost,[::1]:5673")},
        {"mq": Mq(broker_url="amqp://mq.internal")},
        {"database": Database(sql_password="x", **FAR)},
        {"database": Database(sslmode="disable", **FAR)},
        {"database": Database(sslmode="disable", sql_password="x")},
        {"redis": Redis(url="rediss://:x@redis.internal")},
        {"redis": Redis(url="redis://:x@localhost")},
        {"redis": Redis(url="redis://redis.internal")},
    ],
)
def test_what_nobody_can_overhear_or_is_no_secret_is_taken(sections):
    Config(**sections)
