"""What preflight says of passwords and keys that others keep."""

from __future__ import annotations

import pytest
from django.conf import settings
from pydantic import SecretStr

from order_entry_project.preflight import credentials as checked
from order_entry_project.preflight import database
from order_entry_project.secrets import sources
from tests.ports import free_port


@pytest.fixture
def sourced(configure, monkeypatch):
    """Changes a section, and has the credentials come from where it then says."""

    def change(section, **keys):
        configure(section, **keys)
        monkeypatch.setattr(settings, "CREDENTIALS", sources.credentials(settings.CONFIG))

    return change


def test_what_the_configuration_itself_holds_can_be_had(sourced, check):
    sourced("mq", username="worker", password=SecretStr("hunter2"))
    found = check(checked.findings)
    assert found.fine, found
    assert "the broker's login can be had" in repr(found)


def test_a_file_of_credentials_that_is_missing_is_named_and_one_that_is_there_is_not_shown(
    sourced, check, tmp_path
):
    path = tmp_path / "password"
    sourced("database", credentials_source="file", sql_password_file=path)
    failure = check(checked.findings).failure
    assert (failure.key, str(path) in failure.found) == ("database.credentials_source", True)
    path.write_text("hunter2")
    found = check(checked.findings)
    assert found.fine, found
    assert "hunter2" not in repr(found)


def test_a_safeguard_that_does_not_answer_is_the_one_finding(sourced, check):
    sourced("safeguard", host=f"127.0.0.1:{free_port()}", sql_api_key=SecretStr("key"))
    sourced("database", credentials_source="safeguard")
    failure = check(checked.findings).failure
    assert (failure.key, "Connection refused" in failure.found) == ("safeguard.host", True)


def test_a_database_without_credentials_points_to_where_they_should_come_from(sourced, check, tmp_path):
    sourced("database", credentials_source="file", sql_password_file=tmp_path / "absent")
    failure = check(database.findings).failure
    assert (failure.key, "no credentials" in failure.found) == ("database.credentials_source", True)
