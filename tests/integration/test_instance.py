"""What an instance says of itself beside its work: its build, and when its certificates end."""

from __future__ import annotations

import pytest
import trustme

import order_entry_project
from consumers import certificate_watch, certificates
from consumers.certificates import CertificateFile
from consumers.instance import certificate_watch as watch
from order_entry_project.health import Health, HealthView
from tests.certificates import both, ending


@pytest.fixture
def certificate(tmp_path, monkeypatch, configure):
    """A configured client certificate that ends in so many days."""
    monkeypatch.setattr(certificate_watch, "_LOOK", 0)
    monkeypatch.setattr(watch, "_said", {})
    path = tmp_path / "client.pem"

    def configured(days):
        both(ending(trustme.CA(), "client", days=days), path)
        configure("mq", broker_url="amqps://broker.invalid", client_cert=path)
        return path

    return configured


def scraped(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    lines = response.content.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


CERTIFICATE = 'certificate_expiry_timestamp_seconds{certificate="mq.client_cert"}'


@pytest.mark.django_db
def test_a_web_instance_says_its_build_and_when_its_certificates_end(client, certificate):
    path = certificate(days=90)
    found = scraped(client)
    end = certificates.read(CertificateFile("mq.client_cert", path, None))[0].not_after
    assert float(found[CERTIFICATE]) == end.timestamp()
    (build,) = [name for name in found if name.startswith("order_entry_build_info")]
    assert f'version="{order_entry_project.__version__}"' in build
    assert float(found[build]) == 1


@pytest.mark.django_db
def test_a_certificate_that_is_gone_leaves_the_other_metrics_as_they_are(client, certificate):
    certificate(days=90).unlink()
    found = scraped(client)
    assert CERTIFICATE not in found
    assert found["sql_up"] == "1.0"


def test_health_warns_before_a_certificate_ends_and_stays_up(client, certificate, monkeypatch, caplog):
    path = certificate(days=5)
    monkeypatch.setattr(HealthView, "health", Health({}))
    for _ in range(3):
        assert client.get("/health").json()["status"] == "UP"
    (record,) = caplog.records
    assert record.getMessage().startswith(f"mq.client_cert {path} ends on ")
