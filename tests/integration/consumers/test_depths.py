"""How many messages wait, as the instance's metrics say it: whoever takes them, and also when nobody does."""

import pika
import pytest
from django.db import connection

from consumers import amqp_versions, depths
from consumers.amqp_versions import Version
from consumers.depths import Depths
from consumers.models import QueueMessage
from consumers.transports import make_transport
from routing.reactor import Reactor
from tests.integration.consumers.benches import configuring, rabbitmq_queue
from tests.integration.consumers.turning import Loop, Side

QUEUE = "DEPTH.TEST"
PATIENCE = 20.0
A_WHILE = 0.5  # seconds; more than it takes to connect


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(depths, "_INTERVAL", 0.05)


@pytest.fixture
def reactor():
    made = Reactor()
    made.call_later(PATIENCE, lambda: made.fail(AssertionError("it never came")))
    yield made
    made.close()


@pytest.fixture
def at_rabbitmq(monkeypatch, rabbitmq):
    configuring(monkeypatch)(broker_url=rabbitmq.url)
    return rabbitmq


@pytest.fixture
def watch(reactor):
    """`watch(*queues)`: their depths, asked until the test ends."""
    transports = []

    def begin(*queues):
        watched = Depths(reactor, queues)
        transports.extend(each._transport for each in watched._watches)
        return watched

    yield begin
    stopped = []
    for transport in transports:
        transport.stop(lambda: stopped.append(1))
    until(reactor, lambda: len(stopped) == len(transports))


def told(watched):
    (family,) = watched.collect()
    assert (family.name, family.type) == ("queue_depth", "gauge")
    return {sample.labels["queue"]: sample.value for sample in family.samples}


def until(reactor, condition):
    """Turn the loop until it is so."""

    def look():
        if condition():
            reactor.stop()
        else:
            reactor.call_later(0.02, look)

    look()
    reactor.run()


def put(count, queue=QUEUE):
    QueueMessage.objects.bulk_create(QueueMessage(queue=queue, body=b"{}") for _ in range(count))


def test_the_depth_of_each_queue_is_told_and_followed(transactional_db, reactor, watch):
    put(3)
    watched = watch(QUEUE, "OTHER")
    assert told(watched) == {}
    until(reactor, lambda: told(watched) == {QUEUE: 3, "OTHER": 0})
    put(4)
    put(2, "OTHER")
    until(reactor, lambda: told(watched) == {QUEUE: 7, "OTHER": 2})


def test_a_depth_is_missing_while_it_cannot_be_had_and_comes_back(transactional_db, reactor, watch):
    put(3)
    watched = watch(QUEUE)
    until(reactor, lambda: told(watched) == {QUEUE: 3})
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE queue_messages RENAME TO away")
    try:
        until(reactor, lambda: told(watched) == {})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO queue_messages")
    until(reactor, lambda: told(watched) == {QUEUE: 3})


def test_a_broker_is_asked_likewise(at_rabbitmq, reactor, watch):
    with pika.BlockingConnection(pika.URLParameters(at_rabbitmq.url)) as broker:
        channel = broker.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=False, auto_delete=False, durable=True).method.queue
        for _ in range(5):
            channel.basic_publish("", queue, b"{}", mandatory=True)
        watched = watch(queue)
        until(reactor, lambda: told(watched) == {queue: 5})
        channel.queue_delete(queue)
        until(reactor, lambda: told(watched) == {})


def test_no_queues_no_depths(reactor, watch):
    watched = watch()
    reactor.call_later(0, reactor.stop)
    reactor.run()
    assert told(watched) == {}


def test_over_amqp_1_0_the_watch_is_never_a_queues_single_active_consumer(
    monkeypatch, rabbitmq, amqp10_package
):
    configuring(monkeypatch)(broker_url=rabbitmq.amqp10_url)
    loop = Loop()
    with rabbitmq_queue(rabbitmq, "quorum") as queue:
        queue.remove()
        queue.create(**{"x-single-active-consumer": True})
        queue.put(b"{}")
        watched = Depths(loop.reactor, [queue.name])
        loop.turn_for(A_WHILE)
        worker = Side(loop, make_transport(loop.reactor, consume=True, publish=False, queue=queue.name))
        worker.start()
        worker.await_deliveries(1)
        assert told(watched) == {}
        worker.stop()
    loop.reactor.close()


def test_the_watch_leaves_a_broker_that_turns_out_to_speak_amqp_1_0(monkeypatch, strict_peer, reactor, watch):
    url = strict_peer.url.replace("amqp10://", "amqp://")
    configuring(monkeypatch)(broker_url=url)
    strict_peer.ask("declare", queue=QUEUE)
    watched = watch(QUEUE)
    until(reactor, lambda: amqp_versions.version_of(url) is Version.V1_0)
    reactor.call_later(A_WHILE, reactor.stop)
    reactor.run()
    assert len(reactor._poller._fd_handlers) == 1, "it is still connected"
    assert told(watched) == {}
    strict_peer.ask("delete", queue=QUEUE)
