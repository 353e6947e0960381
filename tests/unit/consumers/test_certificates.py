from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, SecretStr

from consumers import certificate_watch, certificates
from consumers.certificate_watch import CertificateWatch
from consumers.certificates import CertificateFile, CertificateUnusable
from order_entry_project.config import Config
from tests.certificates import both, ending


class Neighbour(BaseModel):
    url: str = "https://neighbour"
    client_cert: Path | None = None
    client_key: Path | None = None
    ca_cert: Path | None = None
    token: SecretStr | None = None


class Whole(BaseModel):
    one: Neighbour = Neighbour()
    other: Neighbour = Neighbour()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def file(authority, tmp_path):
    path = both(ending(authority, "client", days=100), tmp_path / "client.pem")
    return CertificateFile("mq.client_cert", path, ("mq.client_cert", path))


def unusable(file):
    with pytest.raises(CertificateUnusable) as raised:
        certificates.check_private_key(file)
    return str(raised.value)


class TestTheFilesOfAConfiguration:
    def test_are_found_by_the_names_of_their_keys_in_every_section(self):
        config = Whole(
            one=Neighbour(client_cert=Path("/c.pem"), ca_cert=Path("/ca.pem")),
            other=Neighbour(client_cert=Path("/c.pem"), client_key=Path("/c.key")),
        )
        assert list(certificates.named_by(config)) == [
            CertificateFile("one.client_cert", Path("/c.pem"), ("one.client_cert", Path("/c.pem"))),
            CertificateFile("one.ca_cert", Path("/ca.pem"), None),
            CertificateFile("other.client_cert", Path("/c.pem"), ("other.client_key", Path("/c.key"))),
        ]

    def test_are_all_that_the_real_one_has_keys_for(self):
        """A section that gets certificates is covered without being listed anywhere."""
        filled, expected = {}, set()
        for section, field in Config.model_fields.items():
            keys = [key for key in field.annotation.model_fields if key.endswith("_cert")]
            filled[section] = field.annotation.model_construct(**dict.fromkeys(keys, Path("/x.pem")))
            expected |= {f"{section}.{key}" for key in keys}
        assert {"mq.client_cert", "aerospike.ca_cert", "redis.client_cert"} <= expected
        named = certificates.named_by(Config.model_construct(**filled))
        assert {file.name for file in named} == expected

    def test_are_none_where_none_is_set(self):
        assert list(certificates.named_by(Whole())) == []


class TestReading:
    def test_tells_whose_it_is_and_when_it_ends(self, file):
        (found, *_) = certificates.read(file)
        assert "CN=" in found.subject or "OU=" in found.subject
        assert timedelta(days=99) < found.not_after - datetime.now(UTC) < timedelta(days=101)

    def test_takes_a_bundle_as_it_is(self, tmp_path):
        bundle = tmp_path / "ca.pem"
        for _ in range(3):
            trustme.CA().cert_pem.write_to_path(bundle, append=True)
        assert len(certificates.read(CertificateFile("mq.ca_cert", bundle, None))) == 3

    @pytest.mark.parametrize(
        "content", [b"", b"\0\xff" * 500, b"no PEM", b"-----BEGIN CERTIFICATE-----\nnonsense"]
    )
    def test_what_is_no_certificate_is_refused_with_key_and_file(self, tmp_path, content):
        (tmp_path / "x.pem").write_bytes(content)
        with pytest.raises(CertificateUnusable, match=rf"mq.ca_cert {tmp_path}/x.pem: .*PEM"):
            certificates.read(CertificateFile("mq.ca_cert", tmp_path / "x.pem", None))

    def test_what_is_not_there_or_is_a_folder_is_said(self, tmp_path):
        for path, says in ((tmp_path / "absent.pem", "No such file"), (tmp_path, "Is a directory")):
            with pytest.raises(CertificateUnusable, match=says):
                certificates.read(CertificateFile("mq.ca_cert", path, None))


class TestThePrivateKey:
    def test_in_the_same_file_fits(self, file):
        certificates.check_private_key(file)

    def test_of_an_elliptic_curve_in_its_own_file_fits(self, authority, tmp_path):
        made = authority.issue_cert("client", key_type=trustme.KeyType.ECDSA)
        made.cert_chain_pems[0].write_to_path(tmp_path / "c.pem")
        made.private_key_pem.write_to_path(tmp_path / "c.key")
        certificates.check_private_key(
            CertificateFile("a.client_cert", tmp_path / "c.pem", ("a.client_key", tmp_path / "c.key"))
        )

    def test_of_another_certificate_is_refused(self, file, authority, tmp_path):
        authority.issue_cert("other").private_key_pem.write_to_path(tmp_path / "o.key")
        said = unusable(CertificateFile(file.name, file.path, ("mq.client_key", tmp_path / "o.key")))
        assert said.startswith(f"mq.client_key {tmp_path}/o.key: is not the private key of ")

    def test_that_is_missing_is_named(self, file, tmp_path):
        assert "mq.client_key" in unusable(
            CertificateFile(file.name, file.path, ("mq.client_key", tmp_path / "absent"))
        )

    def test_that_the_certificates_own_file_lacks_is_named(self, authority, tmp_path):
        path = tmp_path / "c.pem"
        authority.issue_cert("client").cert_chain_pems[0].write_to_path(path)
        assert "holds no private key" in unusable(
            CertificateFile("mq.client_cert", path, ("mq.client_cert", path))
        )

    def test_that_is_encrypted_is_refused_without_asking_for_a_passphrase(self, file, tmp_path):
        key = load_pem_private_key(file.path.read_bytes(), None)
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
        (tmp_path / "locked.key").write_bytes(locked)
        assert "is encrypted" in unusable(
            CertificateFile(file.name, file.path, ("mq.client_key", tmp_path / "locked.key"))
        )


def scraped(watch):
    registry = CollectorRegistry()
    registry.register(watch)
    lines = generate_latest(registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


SAMPLE = 'certificate_expiry_timestamp_seconds{certificate="mq.client_cert"}'


@pytest.fixture
def watch(file, monkeypatch):
    monkeypatch.setattr(certificate_watch, "_LOOK", 0)
    return CertificateWatch(lambda: iter([file]))


class TestTheMetric:
    def test_is_when_the_first_certificate_of_the_file_ends(self, watch, file, authority):
        assert float(scraped(watch)[SAMPLE]) == certificates.read(file)[0].not_after.timestamp()
        sooner = ending(authority, "intermediate", days=3)
        sooner.cert_chain_pems[0].write_to_path(file.path, append=True)
        assert float(scraped(watch)[SAMPLE]) == certificates.read(file)[1].not_after.timestamp()

    def test_follows_a_renewed_file(self, watch, file, authority, tmp_path):
        before = float(scraped(watch)[SAMPLE])
        both(ending(authority, "client", days=365), tmp_path / "new.pem").replace(file.path)
        assert float(scraped(watch)[SAMPLE]) > before

    def test_is_missing_while_the_file_is_and_comes_back_with_it(self, watch, file):
        content = file.path.read_bytes()
        file.path.unlink()
        assert scraped(watch) == {}
        file.path.write_bytes(content)
        assert SAMPLE in scraped(watch)

    def test_is_missing_for_a_file_that_is_none_and_the_others_are_there(self, file, tmp_path):
        (tmp_path / "bad.pem").write_text("nonsense")
        bad = CertificateFile("redis.ca_cert", tmp_path / "bad.pem", None)
        assert list(scraped(CertificateWatch(lambda: iter([bad, file])))) == [SAMPLE]

    def test_does_not_read_a_file_that_has_not_changed(self, watch, file, monkeypatch):
        scraped(watch)
        monkeypatch.setattr(certificates, "read", lambda _: pytest.fail("it is read again"))
        scraped(watch)
        os.utime(file.path, ns=(1, 1))
        with pytest.raises(pytest.fail.Exception):
            scraped(watch)

    def test_does_not_even_look_at_the_file_at_each_scrape(self, file):
        watch = CertificateWatch(lambda: iter([file]))
        scraped(watch)
        file.path.unlink()
        assert SAMPLE in scraped(watch)


class TestTheReminder:
    @pytest.mark.parametrize(("days", "says"), [(20, "ends on"), (-1, "ended on")])
    def test_warns_once_of_what_ends_or_has_ended(self, watch, file, authority, caplog, days, says):
        both(ending(authority, "client", days=days), file.path)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                watch.remind(within=21 * 86_400)
        (record,) = caplog.records
        assert f"mq.client_cert {file.path} {says}" in record.getMessage()

    def test_warns_again_the_next_day(self, watch, file, authority, caplog, monkeypatch):
        both(ending(authority, "client", days=1), file.path)
        monkeypatch.setattr(certificate_watch, "_SAY", 0)
        for _ in range(2):
            watch.remind(within=21 * 86_400)
        assert len(caplog.records) == 2

    def test_says_nothing_while_there_is_time(self, watch, caplog):
        watch.remind(within=21 * 86_400)
        assert caplog.records == []

    def test_says_that_a_file_cannot_be_read(self, watch, file, caplog):
        file.path.unlink()
        watch.remind(within=0)
        assert "No such file" in caplog.text
