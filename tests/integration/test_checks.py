from __future__ import annotations

import pytest
from django.conf import settings
from django.core.checks import Error, Warning, run_checks  # noqa: A004 - Django's name

from order_entry_project.config import Api


@pytest.fixture
def configure(monkeypatch):
    """Change keys of the configuration: `configure(section, key=value)`."""

    def change(section, **keys):
        changed = getattr(settings.CONFIG, section).model_copy(update=keys)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={section: changed}))

    return change


def ids(*, deploy: bool = False) -> list[str]:
    return [message.id for message in run_checks(include_deployment_checks=deploy)]


def test_the_embedded_configuration_has_no_fault():
    assert ids() == []


def test_credentials_from_safeguard_are_an_error(configure):
    configure("database", credentials_source="safeguard")
    assert ids() == ["order_entry.E002"]


def test_a_deployment_needs_a_signing_key_and_hears_about_https(configure):
    configure("api", secret_key=None, https_only=False)
    found = {message.id: message for message in run_checks(include_deployment_checks=True)}
    assert isinstance(found["order_entry.E003"], Error)
    assert isinstance(found["order_entry.W001"], Warning)


def test_a_deployment_with_both_has_no_fault_of_ours(configure):
    configure("api", secret_key=Api(secret_key="x" * 50).secret_key, https_only=True)
    assert [found for found in ids(deploy=True) if found.startswith("order_entry.")] == []
