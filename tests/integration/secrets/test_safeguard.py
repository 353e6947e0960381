"""What is asked of Safeguard over mutual TLS, and what is made of each answer."""

from __future__ import annotations

import time

import pytest
import trustme

from order_entry_project.secrets.safeguard import SafeguardA2A
from orders.credentials import CredentialsUnavailable

PASSWORD = 'canary "pä\\ss" 1'


@pytest.fixture
def account(safeguard):
    return safeguard.add("trader", PASSWORD)


def refusal(work, *arguments) -> str:
    with pytest.raises(CredentialsUnavailable) as refused:
        work(*arguments)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


def test_the_password_and_the_name_of_an_account_are_had_for_its_api_key(safeguard, section, account):
    other = safeguard.add("auditor", "another")
    vault = SafeguardA2A(section())
    assert (vault.password(account.api_key), vault.account(account.api_key)) == (PASSWORD, "trader")
    assert (vault.password(other.api_key), vault.account(other.api_key)) == ("another", "auditor")
    assert safeguard.tokens == {}, "whoever looked for the account has logged out"


def test_certificate_and_key_may_be_separate_files(safeguard, section, account, tmp_path):
    pem = safeguard.client_cert.read_text()
    end = "-----END RSA PRIVATE KEY-----\n" if "RSA" in pem else "-----END EC PRIVATE KEY-----\n"
    key, _, certificate = pem.partition(end)
    (tmp_path / "client.key").write_text(key + end)
    (tmp_path / "client.crt").write_text(certificate)
    apart = section(client_cert=tmp_path / "client.crt", client_key=tmp_path / "client.key")
    assert SafeguardA2A(apart).password(account.api_key) == PASSWORD


def test_an_api_key_that_is_not_known_is_refused(safeguard, section, account):
    vault = SafeguardA2A(section())
    assert f"Safeguard {safeguard.host} answered 403" in refusal(vault.password, "nonsense")
    assert "names 1 retrievable accounts, none of them with this API key" in refusal(
        vault.account, "nonsense"
    )


def test_a_certificate_of_another_application_is_refused(safeguard, section, account, tmp_path):
    safeguard.issue_client(tmp_path / "other.pem")
    vault = SafeguardA2A(section(client_cert=tmp_path / "other.pem"))
    assert "answered 401" in refusal(vault.password, account.api_key)
    assert "answered 401" in refusal(vault.account, account.api_key)


def test_a_certificate_that_is_renewed_in_place_is_shown_the_next_time(safeguard, section, account):
    vault = SafeguardA2A(section())
    account.thumbprint = safeguard.issue_client(safeguard.client_cert)
    assert vault.password(account.api_key) == PASSWORD


def test_an_appliance_that_another_authority_vouches_for_is_asked_nothing(
    safeguard, section, account, tmp_path
):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other-ca.pem")
    for ca_cert in (tmp_path / "other-ca.pem", None):
        vault = SafeguardA2A(section(ca_cert=ca_cert))
        assert "CERTIFICATE_VERIFY_FAILED" in refusal(vault.password, account.api_key)
    assert safeguard.asked == []


def test_an_appliance_under_another_name_is_asked_nothing(safeguard, section, account):
    vault = SafeguardA2A(section(host=safeguard.host.replace("localhost", "127.0.0.1")))
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(vault.password, account.api_key)
    assert safeguard.asked == []


def test_files_that_are_missing_are_named(section, account):
    assert "/nowhere.pem" in refusal(
        SafeguardA2A(section(client_cert="/nowhere.pem")).password, account.api_key
    )
    assert "/nowhere.pem" in refusal(SafeguardA2A(section(ca_cert="/nowhere.pem")).password, account.api_key)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b'{"password": "canary"}', "expected a JSON string that is a password"),
        (200, b'["canary"]', "expected a JSON string that is a password"),
        (200, b'""', "expected a JSON string that is a password"),
        (200, b'"a\\u0000b"', "expected a JSON string that is a password"),
        (200, b"canary", "expected a JSON string that is a password"),
        (200, b'"canary', "expected a JSON string that is a password"),
        (200, b"", "expected a JSON string that is a password"),
        (200, b'"' + b"x" * 100_000 + b'"', "more than 65536 bytes"),
        (500, b"<html>canary</html>", "answered 500"),
        (503, b'{"Code": 1, "Message": "in maintenance"}', "answered 503 in maintenance"),
        (302, b"", "answered 302"),
    ],
)
def test_an_answer_that_is_no_password_is_not_taken_for_one(safeguard, section, account, status, body, says):
    safeguard.wrong = status, body
    refused = refusal(SafeguardA2A(section()).password, account.api_key)
    assert says in refused
    assert "canary" not in refused


@pytest.mark.parametrize("hangs_at", ["handshake", "answer"])
def test_an_appliance_that_hangs_is_given_up(safeguard, section, account, hangs_at):
    vault = SafeguardA2A(section(timeout=0.3))
    safeguard.hangs_at = hangs_at
    began = time.monotonic()
    assert "timed out" in refusal(vault.password, account.api_key)
    assert time.monotonic() - began < 1
    # The search for an account is several questions; the library answers the first one itself then.
    began = time.monotonic()
    assert "timed out" in refusal(vault.account, account.api_key)
    assert time.monotonic() - began < 2


def test_an_answer_that_trickles_in_is_given_up(safeguard, section, account):
    safeguard.drips = 0.1
    began = time.monotonic()
    assert "not complete within 0.3 s" in refusal(
        SafeguardA2A(section(timeout=0.3)).password, account.api_key
    )
    assert time.monotonic() - began < 1


def test_an_outage_is_told_and_over_when_it_is_over(safeguard, section, account):
    vault = SafeguardA2A(section())
    with safeguard.outage():
        assert "Connection refused" in refusal(vault.password, account.api_key)
        assert "Connection refused" in refusal(vault.account, account.api_key)
    assert vault.password(account.api_key) == PASSWORD


def test_proxies_and_netrc_of_the_environment_are_left_alone(section, account, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login thief password thief\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    vault = SafeguardA2A(section())
    assert (vault.password(account.api_key), vault.account(account.api_key)) == (PASSWORD, "trader")
