"""The strict AMQP 1.0 peer keeps its rules: tried with a client that breaks them, past the transport that obeys."""

# ruff: noqa: E402 - what imports proton comes after it is known to be there
from __future__ import annotations

import socket
import uuid
from uuid import uuid4

import pytest

from tests.servers.asking import needed_module, private

needed_module("proton", by="make install-amqp10")
from proton import ConnectionException, Delivery, Link, SSLDomain, Terminus, ulong
from proton.reactor import Copy, LinkOption
from proton.utils import ConnectionClosed, LinkDetached, SendException

from tests.amqp10_client import client, message
from tests.mutual_tls import Authority
from tests.servers.strict_peer import StrictPeer
from tests.servers.strict_peer import strict_peer as another
from tests.waiting import wait_until

MEBIBYTE = 1 << 20


@pytest.fixture
def queue(strict_peer: StrictPeer):
    name = f"test-{uuid4().hex}"
    strict_peer.ask("declare", queue=name)
    yield name
    strict_peer.ask("delete", queue=name)


@pytest.fixture
def raw(strict_peer: StrictPeer):
    with client(strict_peer.url) as made:
        yield made


def test_a_message_comes_back_counted_when_its_receiver_fails_it_or_goes(strict_peer, queue, raw):
    raw.sender(queue).send(message(queue, id="m-1"))
    with client(strict_peer.url) as other:
        receiver = other.receiver(queue)
        first = receiver.receive()
        assert (first.id, first.delivery_count, first.first_acquirer) == ("m-1", 0, True)
        delivery = receiver.fetcher.unsettled.popleft()
        delivery.local.failed = True
        delivery.update(Delivery.MODIFIED)
        delivery.settle()
        assert receiver.receive().delivery_count == 1
    assert raw.receiver(queue).receive().delivery_count == 2


def test_a_released_message_is_not_counted(queue, raw):
    raw.sender(queue).send(message(queue))
    receiver = raw.receiver(queue)
    receiver.receive()
    receiver.release(delivered=False)
    assert receiver.receive().delivery_count == 0


def test_a_rejection_ends_the_link_and_the_message_stays(strict_peer, queue, raw):
    raw.sender(queue).send(message(queue))
    receiver = raw.receiver(queue)
    receiver.receive()
    receiver.reject()
    with pytest.raises(LinkDetached, match="amqp:not-implemented"):
        receiver.receive()
    assert strict_peer.ready(queue) == 1


class Bare(LinkOption):
    """No capability."""

    def apply(self, link: Link) -> None:
        (link.target if link.is_sender else link.source).capabilities.clear()


class Coordinator(LinkOption):
    def apply(self, link: Link) -> None:
        link.target.type = Terminus.COORDINATOR


def test_a_link_has_to_name_a_queue_that_is_there_and_say_that_it_is_one(queue, raw):
    for attach in (raw.sender, raw.receiver):
        with pytest.raises(LinkDetached, match="amqp:not-found"):
            attach("nowhere")
        with pytest.raises(LinkDetached, match=r"amqp:not-allowed.*is a topic"):
            attach(queue, Bare())
    with pytest.raises(LinkDetached, match=r"amqp:not-implemented.*transactions"):
        raw.sender(queue, Coordinator())


def test_links_end_when_their_queue_is_deleted(strict_peer, queue, raw):
    sender = raw.sender(queue)
    strict_peer.ask("delete", queue=queue)
    with pytest.raises(LinkDetached, match="amqp:resource-deleted"):
        sender.send(message(queue))


@pytest.mark.parametrize(
    "broken",
    [
        {"id": uuid.UUID(int=1)},
        {"id": ulong(7)},
        {"correlation_id": uuid.UUID(int=1)},
        {"annotations": {"x-opt-trace": "1"}},
        {"address": None},
        {"address": "another"},
    ],
    ids=["uuid", "ulong", "correlation by uuid", "annotations", "to nobody", "to another"],
)
def test_what_a_queue_manager_cannot_hold_is_rejected_and_its_neighbours_are_not(
    strict_peer, queue, raw, broken
):
    sender = raw.sender(queue)
    with pytest.raises(SendException) as rejection:
        sender.send(message(queue, **broken))
    assert rejection.value.state == Delivery.REJECTED
    sender.send(message(queue, id="a string"))
    assert [one.id for one in strict_peer.take(queue)] == ["a string"]


def test_a_full_queue_rejects(strict_peer, queue, raw):
    strict_peer.ask("declare", queue=queue, limit=1)
    sender = raw.sender(queue)
    sender.send(message(queue))
    with pytest.raises(SendException):
        sender.send(message(queue))


def test_a_message_over_the_limit_ends_the_link(strict_peer, queue, raw):
    sender = raw.sender(queue)
    assert sender.link.remote_max_message_size == 16 * MEBIBYTE
    with pytest.raises(LinkDetached, match="amqp:link:message-size-exceeded"):
        sender.send(message(queue, bytes(17 * MEBIBYTE)))
    assert strict_peer.ready(queue) == 0


def test_of_two_connections_with_one_container_id_the_later_stays(strict_peer, queue):
    with (
        client(strict_peer.url, container="desk-7") as older,
        client(strict_peer.url, container="desk-7") as later,
    ):
        with pytest.raises(ConnectionClosed, match="amqp:connection:forced"):
            older.turn_until_closed()
        later.sender(queue).send(message(queue))


def test_a_second_session_ends_the_connection(raw):
    for _ in range(2):
        raw.connection.conn.session().open()
    with pytest.raises(ConnectionClosed, match="one session"):
        raw.turn_until_closed()


def test_a_browser_sees_what_is_ready_and_takes_nothing(strict_peer, queue, raw):
    sender = raw.sender(queue)
    for number in range(3):
        sender.send(message(queue, id=str(number)))
    browser = raw.receiver(queue, Copy(), credit=10)
    assert [browser.receive().id for _ in range(3)] == ["0", "1", "2"]
    assert strict_peer.ask("depth", queue=queue) == {"ready": 3, "held": 0}


def test_only_known_users_get_in_and_whoever_speaks_0_9_1_is_told(tmp_path):
    with private("strict peer", another(tmp_path, anonymous=False)) as got:
        peer = StrictPeer(**got)
        for url, mechanism in (
            (peer.url.replace("guest:guest", "guest:wrong"), "PLAIN"),
            (peer.url, "ANONYMOUS"),
        ):
            with pytest.raises(ConnectionException), client(url, allowed_mechs=mechanism):
                pass
        with client(peer.url, allowed_mechs="PLAIN"):
            assert [one["user"] for one in peer.ask("who")] == ["guest"]
        with socket.create_connection(("127.0.0.1", peer.port)) as pika:
            pika.sendall(b"AMQP\x00\x00\x09\x01")
            assert pika.recv(64) == b"AMQP\x03\x01\x00\x00"


def test_over_tls_a_client_needs_a_certificate_and_has_to_give_signs_of_life(tmp_path):
    authority = Authority(tmp_path)
    options = {
        "certificate": str(authority.issue("server.pem", host="localhost")),
        "authority": str(authority.ca_cert),
        "idle_timeout": 0.4,
    }
    with private("strict peer", another(tmp_path, **options)) as got:
        peer = StrictPeer(**got)
        url = f"amqps://localhost:{peer.port}"
        with pytest.raises(ConnectionException), client(url, ssl_domain=trusting(authority)):
            pass
        domain = trusting(authority)
        own = str(authority.issue("client.pem", "desk-7"))
        domain.set_credentials(own, own, None)
        # This client says nothing by itself.
        with client(url, ssl_domain=domain):
            assert [one["certificate"] for one in peer.ask("who")] == ["desk-7"]
            wait_until(lambda: peer.ask("who") == [], what="the silent one is given up", patience=5)


def trusting(authority: Authority) -> SSLDomain:
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(str(authority.ca_cert))
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    return domain
