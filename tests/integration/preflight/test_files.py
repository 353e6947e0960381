"""What preflight says of certificates, schemas and the folder of logs."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from order_entry_project.preflight import files as checked
from tests.certificates import both, ending


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def client(authority, configure, tmp_path):
    """`client(days=…)`: a client certificate that is configured for the broker."""

    def configured(days):
        path = both(ending(authority, "client", days=days), tmp_path / "client.pem")
        configure("mq", broker_url="amqps://broker.invalid", client_cert=path)
        return path

    return configured


def test_without_certificates_there_is_nothing_to_look_at(check):
    assert check(checked.certificate_findings).fine


def test_a_certificate_with_its_key_and_time_left_has_nothing_against_it(client, check):
    path = client(days=90)
    found = check(checked.certificate_findings)
    assert found.fine, found
    assert f"in {path} ends on " in repr(found)


def test_a_certificate_about_to_end_is_a_warning_from_the_configured_time_on(client, check, configure):
    client(days=20)
    warning = check(checked.certificate_findings).warning
    assert (warning.key, "21 days" in warning.expected) == ("mq.client_cert", True)
    configure("service", certificate_warning=19 * 86_400.0)
    assert check(checked.certificate_findings).fine


def test_a_certificate_that_has_ended_is_a_failure(client, check):
    client(days=-1)
    assert "ended on" in check(checked.certificate_findings).failure.found


def test_a_certificate_that_is_not_in_force_yet_is_a_failure(client, check):
    client(days=366 + 10)
    assert "is not in force before" in check(checked.certificate_findings).failure.found


def test_the_key_of_another_certificate_is_a_failure_of_its_own_key(
    client, authority, configure, check, tmp_path
):
    client(days=90)
    authority.issue_cert("other").private_key_pem.write_to_path(tmp_path / "other.key")
    configure("mq", client_key=tmp_path / "other.key")
    failure = check(checked.certificate_findings).failure
    assert (failure.key, "is not the private key of" in failure.found) == ("mq.client_key", True)


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_file_that_is_missing_or_none_is_a_failure_and_the_others_are_told_all_the_same(
    client, configure, check, tmp_path, content
):
    client(days=90)
    path = tmp_path / "ca.pem"
    if content:
        path.write_bytes(content)
    configure("redis", url="rediss://redis.invalid", ca_cert=path)
    found = check(checked.certificate_findings)
    assert found.failure.key == "redis.ca_cert"
    assert any(finding.key == "mq.client_cert" for finding in found.all)


def authorities(path: Path, *days: int) -> Path:
    for one in days:
        ending(trustme.CA(), "ca", days=one).cert_chain_pems[0].write_to_path(path, append=True)
    return path


def test_an_authority_that_has_ended_is_no_failure_while_another_is_in_force(configure, check, tmp_path):
    configure("redis", url="rediss://redis.invalid", ca_cert=authorities(tmp_path / "ca.pem", -10, 300))
    assert "remove it" in check(checked.certificate_findings).warning.advice


def test_authorities_that_have_all_ended_are_a_failure(configure, check, tmp_path):
    configure("redis", url="rediss://redis.invalid", ca_cert=authorities(tmp_path / "ca.pem", -10, -20))
    assert check(checked.certificate_findings).failure.key == "redis.ca_cert"


def test_schemas_that_can_be_used_and_such_that_cannot(configure, check, tmp_path):
    assert check(checked.schema_findings).fine
    configure("mq", avro_schemas=tmp_path)
    assert check(checked.schema_findings).fine
    # The service reads a folder once: another one, as another deployment would have.
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "order.avsc").write_text("{")
    configure("mq", avro_schemas=broken)
    failure = check(checked.schema_findings).failure
    assert (failure.key, "order.avsc" in failure.found) == ("mq.avro_schemas", True)


def test_a_folder_of_logs_that_can_be_written_to_is_left_as_it_was(configure, check, tmp_path):
    assert check(checked.log_findings).fine
    configure("logs", folder=tmp_path)
    assert check(checked.log_findings).fine
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_logs_that_cannot_be_written_to_is_a_failure(configure, check):
    configure("logs", folder=Path("/proc"))  # not even by root
    failure = check(checked.log_findings).failure
    assert (failure.key, failure.found.startswith("/proc cannot be written to: ")) == ("logs.folder", True)
