"""AMQP over TLS, and a broker short of memory: against a RabbitMQ of these tests' own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from consumers.amqp_parameters import broker_parameters
from consumers.transport import Outcome
from order_entry_project.preflight import broker as preflight
from order_entry_project.preflight.finding import Finding
from order_entry_project.preflight.run import run
from tests.certificates import both, ending
from tests.integration.consumers.benches import Bench, amqp_bench
from tests.integration.consumers.contract.messages import numbered
from tests.integration.consumers.test_amqp import first_reason
from tests.ports import free_port
from tests.servers.rabbitmq import BY_CERTIFICATE, MUTUAL_TLS, Broker, broker

_USER = "order-entry-tls"


@dataclass
class TlsBroker:
    """`folder` holds ca.pem, client.pem (with its key), client-only.pem and client.key, stranger.pem, ended.pem."""

    broker: Broker
    port: int
    folder: Path

    def connections(self) -> set[tuple[str, ...]]:
        """User, TLS version and way to log in of each connection."""
        lines = self.broker.ctl("list_connections", "user", "ssl_protocol", "auth_mechanism").splitlines()
        return {tuple(line.split("\t")) for line in lines}


@pytest.fixture(scope="module")
def tls(rabbitmq: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("localhost")
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    client = authority.issue_cert("client.test", common_name=_USER)
    client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client-only.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    trustme.CA().issue_cert("stranger").private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
    both(ending(authority, "client.test", days=-1, user=_USER), folder / "ended.pem")
    port = free_port()
    config = MUTUAL_TLS.format(port=port, folder=folder)
    with broker(folder, more_config=config, plugins=BY_CERTIFICATE) as started:
        own = Broker(**started)
        own.add_user(_USER)
        yield TlsBroker(own, port, folder)


@pytest.fixture
def bench(tls: TlsBroker) -> Iterator[Bench]:
    with amqp_bench(tls.broker, "quorum") as bench:
        yield bench


def secure(bench: Bench, tls: TlsBroker, **keys: object) -> None:
    """The broker by its name, with the CA and the client's certificate, but for `keys`."""
    defaults = {
        "broker_url": f"amqps://localhost:{tls.port}",
        "ca_cert": tls.folder / "ca.pem",
        "client_cert": tls.folder / "client.pem",
    }
    bench.configure(**{**defaults, **keys})


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
def test_a_certificate_turns_tls_on_and_says_who_we_are(bench: Bench, tls: TlsBroker, scheme: str):
    secure(bench, tls, broker_url=f"{scheme}://localhost:{tls.port}")
    consumer, publisher = bench.consumer(), bench.publisher()
    assert publisher.publish(numbered(3)) == [Outcome.CONFIRMED] * 3
    consumer.await_deliveries(3)
    assert (_USER, "tlsv1.3", "EXTERNAL") in tls.connections()


def test_the_key_may_have_a_file_of_its_own(bench: Bench, tls: TlsBroker):
    secure(bench, tls, client_cert=tls.folder / "client-only.pem", client_key=tls.folder / "client.key")
    assert bench.consumer().ups == 1


def test_a_user_name_goes_before_the_certificates(bench: Bench, tls: TlsBroker):
    secure(bench, tls, broker_url=f"amqps://guest:guest@localhost:{tls.port}")
    bench.consumer()
    assert ("guest", "tlsv1.3", "PLAIN") in tls.connections()


def test_a_broker_under_another_name_is_refused(bench: Bench, tls: TlsBroker):
    secure(bench, tls, broker_url=f"amqps://127.0.0.1:{tls.port}")
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in first_reason(bench)


def test_a_broker_of_an_unknown_authority_is_refused(bench: Bench, tls: TlsBroker):
    secure(bench, tls, ca_cert=None)
    assert "certificate verify failed" in first_reason(bench)


@pytest.mark.parametrize("certificate", ["stranger.pem", "ended.pem", None])
def test_whoever_has_no_certificate_in_force_is_refused_by_the_broker(
    bench: Bench, tls: TlsBroker, certificate: str | None
):
    secure(bench, tls, client_cert=certificate and tls.folder / certificate)
    reason = first_reason(bench)
    # The broker may have hung up before its alert was read.
    assert "does not let our certificate in" in reason or "expects TLS" in reason


def test_a_certificate_that_is_not_there_is_named(bench: Bench, tls: TlsBroker):
    secure(bench, tls, client_cert=tls.folder / "absent.pem")
    assert f"mq.client_cert {tls.folder}/absent.pem: [Errno 2] No such file" in first_reason(bench)


def test_a_certificate_without_its_key_is_named(bench: Bench, tls: TlsBroker):
    secure(bench, tls, client_cert=tls.folder / "client-only.pem")
    assert f"mq.client_cert {tls.folder}/client-only.pem: " in first_reason(bench)


def test_an_authority_that_is_no_certificate_is_named(bench: Bench, tls: TlsBroker):
    secure(bench, tls, ca_cert=tls.folder / "client.key")
    assert f"mq.ca_cert {tls.folder}/client.key: " in first_reason(bench)


def test_a_certificate_put_in_place_later_is_used_without_a_restart(bench: Bench, tls: TlsBroker):
    late = tls.folder / f"{bench.queue}.pem"
    secure(bench, tls, client_cert=late)
    consumer = bench.unstarted(consume=True)
    consumer.transport.start(consumer)
    bench.loop.until(lambda: consumer.downs)
    late.write_bytes((tls.folder / "client.pem").read_bytes())
    bench.loop.until(lambda: consumer.ups)


def test_a_plain_connection_to_a_tls_port_is_told(bench: Bench, tls: TlsBroker):
    bench.configure(broker_url=f"amqp://localhost:{tls.port}")
    assert "expects TLS" in first_reason(bench)


def found_by_preflight(bench: Bench) -> list[Finding]:
    bench.configure(consumer_queue=bench.queue, producer_queue=None)
    return [finding for _, finding in run(preflight.checks(), limit=10)]


def test_preflight_gets_in_with_the_certificate_and_says_how_long_the_brokers_lasts(
    bench: Bench, tls: TlsBroker
):
    secure(bench, tls)
    found = found_by_preflight(bench)
    assert [finding.level for finding in found] == ["ok"] * 3, found
    assert "answers over TLSv1.3, its certificate ends on " in found[0].found
    assert found[2].found.endswith("a quorum queue")


def test_preflight_tells_a_wrong_name_from_an_unknown_authority_and_from_a_stranger(
    bench: Bench, tls: TlsBroker
):
    secure(bench, tls, broker_url=f"amqps://127.0.0.1:{tls.port}")
    assert "IP address mismatch" in found_by_preflight(bench)[-1].found
    secure(bench, tls, ca_cert=None)
    assert "self-signed certificate in certificate chain" in found_by_preflight(bench)[-1].found
    secure(bench, tls, client_cert=tls.folder / "stranger.pem")
    stranger = found_by_preflight(bench)[-1]
    assert stranger.level == "failed"
    assert "compare mq.client_cert with the authorities the " in stranger.advice


def test_nothing_older_than_tls_1_2_is_spoken(bench: Bench, tls: TlsBroker):
    secure(bench, tls)
    (parameters,) = broker_parameters(purpose="is examined")
    context = parameters.ssl_options.context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_broker_out_of_memory_stops_publishing_but_not_consuming(bench: Bench, tls: TlsBroker):
    publisher = bench.publisher()
    publisher.publish(numbered(20))
    consumer = bench.consumer(prefetch=5)
    consumer.await_deliveries(5)
    tls.broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        publisher.outcomes.clear()
        publisher.send(numbered(1, start=100))
        consumer.transport.ack(consumer.deliveries[:5])
        consumer.await_deliveries(10)
        assert publisher.outcomes == []
        while not publisher.transport._current._publisher._blocked:
            consumer.depth()
        publisher.send(numbered(2, start=101))
        bench.loop.until(lambda: len(publisher.outcomes) == 2)
        assert [outcome for _, outcome in publisher.outcomes] == [Outcome.NACKED] * 2
    finally:
        tls.broker.ctl("set_vm_memory_high_watermark", "absolute", "2GB")
    bench.loop.until(lambda: (0, Outcome.CONFIRMED) in publisher.outcomes)
    assert publisher.publish(numbered(1, start=103)) == [Outcome.CONFIRMED]
    assert publisher.downs == consumer.downs == []
