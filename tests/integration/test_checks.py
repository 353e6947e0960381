from __future__ import annotations

import pytest
from django.core.checks import Error, Warning, run_checks  # noqa: A004 - Django's name
from pydantic import SecretStr

from order_entry_project.config import Api


def ids(*, deploy: bool = False) -> list[str]:
    return [message.id for message in run_checks(include_deployment_checks=deploy)]


def test_the_embedded_configuration_has_no_fault():
    assert ids() == []


@pytest.mark.parametrize(
    ("section", "keys", "needed"),
    [
        ("database", {"credentials_source": "safeguard"}, ["host", "client_cert", "sql_api_key"]),
        ("idempotency", {"credentials_source": "safeguard"}, ["host", "client_cert", "token_api_key"]),
        ("safeguard", {"mq_api_key": SecretStr("x")}, ["host", "client_cert"]),
    ],
)
def test_what_safeguard_is_to_give_needs_to_be_asked_for(configure, section, keys, needed):
    configure(section, **keys)
    assert [(message.id, message.msg) for message in run_checks()] == [
        ("order_entry.E002", f"safeguard.{name} is not set, but Safeguard is to give credentials.")
        for name in needed
    ]
    configure("safeguard", **dict.fromkeys(needed, "given"))
    assert ids() == []


def test_a_deployment_needs_a_signing_key_and_hears_about_https(configure):
    configure("api", secret_key=None, https_only=False)
    found = {message.id: message for message in run_checks(include_deployment_checks=True)}
    assert isinstance(found["order_entry.E003"], Error)
    assert isinstance(found["order_entry.W001"], Warning)


def test_a_deployment_with_both_has_no_fault_of_ours(configure):
    api = Api(secret_key="x" * 50, trusted_proxies=["10.0.0.0/28"])
    configure("api", secret_key=api.secret_key, https_only=True, trusted_proxies=api.trusted_proxies)
    assert [found for found in ids(deploy=True) if found.startswith("order_entry.")] == []


def test_https_alone_without_a_proxy_to_believe_is_a_warning(configure):
    configure("api", secret_key=Api(secret_key="x" * 50).secret_key, https_only=True)
    assert [found for found in ids(deploy=True) if found.startswith("order_entry.")] == ["order_entry.W002"]
