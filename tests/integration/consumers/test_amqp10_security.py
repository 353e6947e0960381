"""AMQP 1.0 over TLS, with certificates that are renewed and passwords that change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import trustme

from consumers.transport import Outcome
from order_entry_project.neighbours import Queue
from order_entry_project.preflight import broker as preflight
from order_entry_project.preflight.run import run
from tests.certificates import both, ending
from tests.integration.consumers.benches import Bench, configuring
from tests.integration.consumers.contract.messages import numbered
from tests.integration.consumers.test_amqp import first_reason
from tests.integration.consumers.turning import Loop
from tests.servers.strict_peer import StrictPeer, strict_peer

CONFIRMED = Outcome.CONFIRMED


@dataclass
class Secure:
    """`folder` holds ca.pem, client.pem, stranger.pem, ended.pem."""

    peer: StrictPeer
    folder: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls10")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    trustme.CA().issue_cert("stranger").private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
    both(ending(authority, "client.test", days=-1, user="client"), folder / "ended.pem")
    files = {"certificate": str(folder / "server.pem"), "authority": str(folder / "ca.pem")}
    with strict_peer(folder, **files) as started:
        yield Secure(StrictPeer(**started), folder)


@pytest.fixture
def bench(secure: Secure) -> Iterator[Bench]:
    queue = f"test-{uuid4().hex}"
    secure.peer.ask("declare", queue=queue)
    with pytest.MonkeyPatch.context() as patch:
        configure = configuring(patch)
        configure(
            broker_url=f"amqp://localhost:{secure.peer.port}",
            ca_cert=secure.folder / "ca.pem",
            client_cert=secure.folder / "client.pem",
            declare=False,
        )
        made = Bench(Loop(), queue, configure, lambda: secure.peer.ask("cut"), put=None, ready=None)
        try:
            yield made
        finally:
            made.close()
    secure.peer.ask("delete", queue=queue)


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "amqp10", "amqp10s"])
def test_a_certificate_turns_tls_on_whatever_the_scheme(bench: Bench, secure: Secure, scheme: str):
    bench.configure(broker_url=f"{scheme}://localhost:{secure.peer.port}")
    consumer, publisher = bench.consumer(), bench.publisher()
    assert publisher.publish(numbered(3)) == [CONFIRMED] * 3
    consumer.await_deliveries(3)


def test_a_user_may_be_named_beside_the_certificate(bench: Bench, secure: Secure):
    bench.configure(broker_url=f"amqp10s://guest:guest@localhost:{secure.peer.port}")
    assert bench.publisher().publish(numbered(1)) == [CONFIRMED]
    bench.configure(broker_url=f"amqp10s://guest:wrong@localhost:{secure.peer.port}")
    assert "refused the user name" in first_reason(bench)


def test_a_broker_under_another_name_is_refused(bench: Bench, secure: Secure):
    bench.configure(broker_url=f"amqp10s://127.0.0.1:{secure.peer.port}")
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in first_reason(bench)


def test_a_broker_of_an_unknown_authority_is_refused(bench: Bench, secure: Secure):
    bench.configure(broker_url=f"amqp10s://localhost:{secure.peer.port}", ca_cert=None)
    assert "certificate verify failed" in first_reason(bench)


@pytest.mark.parametrize("certificate", ["stranger.pem", "ended.pem", None])
def test_whoever_has_no_certificate_in_force_is_refused_by_the_broker(
    bench: Bench, secure: Secure, certificate: str | None
):
    bench.configure(
        broker_url=f"amqp10s://localhost:{secure.peer.port}",
        client_cert=certificate and secure.folder / certificate,
    )
    reason = first_reason(bench)
    # Some brokers send an alert, some only hang up; that may be heard before the alert is.
    assert any(
        words in reason for words in ("not let our certificate in", "may not be let in", "reset by peer")
    )


def test_a_plain_connection_to_a_tls_port_is_told(bench: Bench, secure: Secure):
    bench.configure(broker_url=f"amqp10://localhost:{secure.peer.port}", client_cert=None, ca_cert=None)
    assert "expects TLS" in first_reason(bench)


def test_a_renewed_certificate_serves_the_next_connection(bench: Bench, secure: Secure):
    renewed = secure.folder / f"{bench.queue}.pem"
    renewed.write_bytes((secure.folder / "client.pem").read_bytes())
    bench.configure(client_cert=renewed)
    consumer = bench.consumer()
    renewed.write_bytes((secure.folder / "stranger.pem").read_bytes())
    bench.cut()
    bench.loop.until(lambda: len(consumer.downs) > 1)
    assert consumer.ups == 1
    renewed.write_bytes((secure.folder / "client.pem").read_bytes())
    bench.loop.until(lambda: consumer.ups == 2)


def test_a_refused_password_is_asked_for_again(bench: Bench, secure: Secure, tmp_path: Path):
    password = tmp_path / "password"
    password.write_text("old")
    bench.configure(
        broker_url=f"amqp10s://localhost:{secure.peer.port}", username="guest", password_file=password
    )
    consumer = bench.unstarted(consume=True)
    consumer.transport.start(consumer)
    bench.loop.until(lambda: consumer.downs)
    assert "refused the user name" in consumer.downs[0]
    password.write_text("guest")
    bench.loop.until(lambda: consumer.ups)


def test_health_and_preflight_get_in_with_the_certificate(bench: Bench):
    bench.configure(consumer_queue=bench.queue, producer_queue=None)
    found = [finding for _, finding in run(preflight.checks(), limit=10)]
    assert [finding.level for finding in found] == ["ok"] * 3, found
    assert "answers over TLSv1.3" in found[0].found
    Queue().run()
