"""What only AMQP 1.0 has, against the strict peer and against servers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from consumers import amqp10_extra, amqp_versions
from consumers.amqp10_extra import Amqp10Unavailable
from consumers.queue_depth import queue_depth
from consumers.sending import send
from consumers.transport import Message, Outcome, QueueUnavailable
from consumers.transports import make_transport
from order_entry_project import checks
from order_entry_project.neighbours import Queue
from order_entry_project.preflight import broker as preflight
from order_entry_project.preflight.run import run
from tests.integration.consumers.benches import Bench, configuring
from tests.integration.consumers.contract.messages import numbered
from tests.integration.consumers.test_amqp import answering, first_reason
from tests.ports import free_port
from tests.servers.strict_peer import StrictPeer

CONFIRMED, NACKED, RETURNED = Outcome.CONFIRMED, Outcome.NACKED, Outcome.RETURNED


@pytest.fixture
def strict(strict_peer: StrictPeer) -> Iterator[Bench]:
    with _strict_bench(strict_peer) as bench:
        yield bench


def _strict_bench(peer: StrictPeer) -> AbstractContextManager[Bench]:
    from tests.integration.consumers.amqp10_benches import strict_bench

    return strict_bench(peer)


def at(peer: StrictPeer, user: str = "guest:guest@", scheme: str = "amqp") -> str:
    return f"{scheme}://{user}127.0.0.1:{peer.port}"


def test_a_broker_that_answers_1_0_is_spoken_to_in_1_0(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer))
    consumer, publisher = strict.consumer(acks=True), strict.publisher()
    assert publisher.publish(numbered(3)) == [CONFIRMED] * 3
    consumer.await_deliveries(3)
    assert consumer.downs == publisher.downs == []


def test_what_a_broker_speaks_is_asked_once(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer))
    strict.consumer()
    assert amqp_versions.version_of(at(strict_peer)) is amqp_versions.Version.V1_0
    assert amqp_versions.version_of(at(strict_peer, user="")) is amqp_versions.Version.V0_9_1


def test_a_transport_that_consumes_and_publishes_changes_over_as_a_whole(
    strict: Bench, strict_peer: StrictPeer
):
    routed = f"{strict.queue}-routed"
    strict_peer.ask("declare", queue=routed)
    strict.configure(broker_url=at(strict_peer), consumer_queue=strict.queue, producer_queue=routed)
    side = strict.unstarted(consume=True)
    side.transport = make_transport(strict.loop.reactor, consume=True, publish=True)
    side.start()
    strict.put(b"in")
    side.await_deliveries(1)
    while side.publish([Message(b"out", "m")]) != [CONFIRMED]:
        strict.loop.turn_for(0.02)
    (message,) = strict_peer.take(routed)
    assert bytes(message.body) == b"out"
    strict_peer.ask("delete", queue=routed)


def test_a_stop_while_it_changes_over_is_a_stop(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer))
    consumer = strict.unstarted(consume=True)
    consumer.transport.start(consumer)
    strict.loop.poll(lambda: consumer.transport._changing)
    consumer.stop()
    assert consumer.ups == 0


def test_a_pause_before_it_changes_over_holds_after(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer))
    consumer = strict.unstarted(consume=True)
    consumer.transport.pause()
    consumer.start()
    strict.put(b"waits")
    strict.loop.turn_for(0.1)
    assert consumer.deliveries == []
    consumer.transport.resume()
    consumer.await_deliveries(1)


def test_a_broker_that_speaks_0_9_1_again_is_spoken_to_in_that(strict: Bench):
    with answering(b"AMQP\x00\x00\x09\x01") as port:
        url = f"amqp://127.0.0.1:{port}"
        amqp_versions.answered(url, amqp_versions.Version.V1_0)
        strict.configure(broker_url=url)
        consumer = strict.unstarted(consume=True)
        consumer.transport.start(consumer)
        strict.loop.until(lambda: consumer.downs)
    assert amqp_versions.version_of(url) is amqp_versions.Version.V0_9_1
    assert "AMQP 0-9-1" in consumer.downs[0]


def test_a_broker_of_0_9_1_alone_is_named_where_1_0_is_asked_for(strict: Bench):
    with answering(b"AMQP\x00\x00\x09\x01") as port:
        strict.configure(broker_url=f"amqp10://127.0.0.1:{port}")
        assert "the broker speaks AMQP 0-9-1: set mq.broker_url to amqp:// or amqps://" in first_reason(
            strict
        )


def test_whatever_else_answers_is_told(strict: Bench):
    with answering(b"HTTP/1.1 400 Bad Request\r\n") as port:
        strict.configure(broker_url=f"amqp10://127.0.0.1:{port}")
        assert "does not answer as AMQP 1.0 does, or expects TLS" in first_reason(strict)


def test_a_wrong_password_is_told_without_the_password(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer, user="guest:hunter2@", scheme="amqp10"))
    reason = first_reason(strict)
    assert "the broker refused the user name, password or certificate" in reason
    assert "hunter2" not in reason


def test_who_has_no_user_is_anonymous(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer, user="", scheme="amqp10"))
    assert strict.publisher().publish(numbered(1)) == [CONFIRMED]


def test_the_next_host_is_tried_when_one_is_dead(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=f"amqp10://guest:guest@127.0.0.1:{free_port()},127.0.0.1:{strict_peer.port}")
    consumer = strict.consumer()
    assert len(consumer.downs) == 1
    assert "Connection refused" in consumer.downs[0]


def test_a_missing_queue_is_named_and_consumed_from_once_it_is_there(strict: Bench):
    strict.remove()
    consumer = strict.unstarted(consume=True)
    consumer.transport.start(consumer)
    strict.loop.until(lambda: len(consumer.downs) == 2)
    assert f"queue {strict.queue} does not exist: create it at the broker" in consumer.downs[0]
    strict.create()
    strict.loop.until(lambda: consumer.ups)


def test_messages_come_back_while_their_queue_is_missing(strict: Bench):
    publisher = strict.publisher()
    assert publisher.publish(numbered(1)) == [CONFIRMED]
    strict.remove()
    strict.loop.poll(lambda: publisher.publish(numbered(3)) == [RETURNED] * 3)
    strict.create()
    strict.loop.poll(lambda: publisher.publish(numbered(3)) == [CONFIRMED] * 3)
    assert publisher.downs == []


def test_an_address_may_be_written_otherwise(strict: Bench, strict_peer: StrictPeer):
    other = f"prefix/{strict.queue}"
    strict_peer.ask("declare", queue=other)
    strict.configure(address="prefix/{queue}")
    assert strict.publisher().publish(numbered(1)) == [CONFIRMED]
    assert strict_peer.ready(other) == 1
    strict_peer.ask("delete", queue=other)


def test_a_broker_that_answers_no_message_is_left_and_found_again(strict: Bench, strict_peer: StrictPeer):
    strict.configure(heartbeat=4)
    publisher = strict.publisher()
    publisher.transport._publisher._patience = 0.2
    strict_peer.ask("stop_sending", queue=strict.queue, stopped=True)
    publisher.outcomes.clear()
    publisher.send(numbered(2000))
    strict.loop.until(lambda: len(publisher.outcomes) == 2000)
    assert NACKED in {outcome for _, outcome in publisher.outcomes}
    assert "has not answered any message" in publisher.downs[0]
    strict_peer.ask("stop_sending", queue=strict.queue, stopped=False)
    strict.loop.until(lambda: publisher.ups == 2)


@pytest.mark.parametrize("scheme", ["amqp", "amqp10"])
def test_health_and_preflight_look_at_it_in_its_own_protocol(
    strict: Bench, strict_peer: StrictPeer, scheme: str
):
    strict.configure(
        broker_url=at(strict_peer, scheme=scheme), consumer_queue=strict.queue, producer_queue="not-there"
    )
    found = [finding for _, finding in run(preflight.checks(), limit=10)]
    assert [finding.level for finding in found] == ["ok", "ok", "ok", "failed"], found
    assert "it lets us in over AMQP 1.0" in found[1].found
    assert f"queue {strict.queue} is there" in found[2].found
    assert "queue not-there does not exist" in found[3].found
    Queue().run()


def test_health_is_down_where_the_password_is_wrong(strict: Bench, strict_peer: StrictPeer):
    strict.configure(broker_url=at(strict_peer, user="guest:wrong@", scheme="amqp10"))
    with pytest.raises(Exception, match="refused the user name"):
        Queue().run()


def test_pages_and_commands_send_over_it(strict: Bench):
    assert send(strict.queue, numbered(2)) == [CONFIRMED] * 2
    assert send("not-there", numbered(2)) == [RETURNED] * 2


def test_a_depth_over_amqp_1_0_is_not_told_and_that_is_said(strict: Bench):
    with pytest.raises(QueueUnavailable, match=r"it is there, but over AMQP 1\.0 no broker tells"):
        queue_depth(strict.queue)


def test_without_the_package_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(amqp10_extra, "find_spec", lambda _: None)
    configuring(monkeypatch)(broker_url="amqp10://localhost")
    (complaint,) = checks.amqp10()
    assert "make install-amqp10" in complaint.msg
    assert "python3-dev" in complaint.msg
    with pytest.raises(Amqp10Unavailable, match="make install-amqp10"):
        make_transport(None, consume=True, publish=False, queue="q")  # type: ignore[arg-type]
