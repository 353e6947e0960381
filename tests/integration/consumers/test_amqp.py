"""What only AMQP 0-9-1 has, against RabbitMQ and against servers that are none."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pika
import pytest

from consumers.transport import Message, Outcome
from consumers.transports import make_transport
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import numbered
from tests.ports import free_port
from tests.servers.rabbitmq import Broker

CONFIRMED, NACKED, RETURNED = Outcome.CONFIRMED, Outcome.NACKED, Outcome.RETURNED


@pytest.fixture
def direct(rabbitmq: Broker) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    """A channel of the test's own, past all that is tested."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        yield connection.channel()


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that answers each connection with `answer` and closes it, or with nothing and keeps it."""
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                held.append(connection)
                if answer:
                    connection.recv(8)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


def first_reason(bench: Bench) -> str:
    """Why a consumer does not come up."""
    consumer = bench.unstarted(consume=True)
    consumer.transport.start(consumer)
    bench.loop.until(lambda: consumer.downs)
    assert consumer.ups == 0
    return consumer.downs[0]


def test_a_queue_of_another_type_is_not_declared_over(amqp: Bench):
    amqp.configure(queue_type="classic")
    reason = first_reason(amqp)
    assert f"queue {amqp.queue} exists, but not as mq.queue_type says" in reason
    assert "'classic' but current is 'quorum'" in reason


def test_a_queue_of_any_type_passes_the_passive_check(amqp: Bench):
    amqp.configure(queue_type="classic", declare=False)
    assert amqp.consumer().ups == 1


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_queues_are_declared_durable_and_of_their_type(
    amqp: Bench, rabbitmq: Broker, direct, queue_type: str
):
    direct.queue_delete(amqp.queue)
    amqp.configure(queue_type=queue_type)
    amqp.consumer()
    rows = [line.split("\t") for line in rabbitmq.ctl("list_queues", "name", "type", "durable").splitlines()]
    assert [amqp.queue, queue_type, "true"] in rows


def test_the_publisher_declares_its_queue_as_well(amqp: Bench, direct):
    direct.queue_delete(amqp.queue)
    assert amqp.publisher().publish(numbered(1)) == [CONFIRMED]


def test_a_queue_deleted_under_the_consumer_is_told_and_declared_again(amqp: Bench, direct):
    consumer = amqp.consumer()
    direct.queue_delete(amqp.queue)
    amqp.loop.until(lambda: consumer.ups == 2)
    assert "the queue was deleted" in consumer.downs[0]
    amqp.publisher().publish(numbered(1))
    consumer.await_deliveries(1)


def test_messages_are_persistent_and_carry_their_properties(amqp: Bench, direct):
    message = Message(
        b"{}", "the-id", correlation_id="the-cause", content_type="text/json", headers={"a": "b"}
    )
    amqp.publisher().publish([message])
    _, properties, body = direct.basic_get(amqp.queue)
    assert body == b"{}"
    assert properties.delivery_mode == 2
    assert (properties.message_id, properties.correlation_id) == ("the-id", "the-cause")
    assert (properties.content_type, properties.headers["a"]) == ("text/json", "b")


def test_a_consumer_is_named_after_its_group_and_process(amqp: Bench, rabbitmq: Broker):
    amqp.configure(consumer_group="desk-7")
    amqp.consumer()
    amqp.consumer()
    rows = [
        line.split("\t") for line in rabbitmq.ctl("list_consumers", "queue_name", "consumer_tag").splitlines()
    ]
    tags = {tag for queue, tag in rows if queue == amqp.queue}
    assert len(tags) == 2
    assert all(tag.startswith(f"desk-7.{socket.gethostname()}.{os.getpid()}.") for tag in tags)


def test_a_transport_consumes_and_publishes_over_two_connections(amqp: Bench, direct):
    routed = f"{amqp.queue}-routed"
    amqp.configure(consumer_queue=amqp.queue, producer_queue=routed)
    side = amqp.unstarted(consume=True)
    side.transport = make_transport(amqp.loop.reactor, consume=True, publish=True)
    side.start()
    amqp.put(b"in")
    side.await_deliveries(1)
    while side.publish([Message(b"out", "m")]) != [CONFIRMED]:
        side.depth()
    assert direct.basic_get(routed)[2] == b"out"
    direct.queue_delete(routed)


def test_the_next_host_is_tried_when_one_is_dead(amqp: Bench, rabbitmq: Broker):
    amqp.configure(broker_url=f"amqp://127.0.0.1:{free_port()},127.0.0.1:{rabbitmq.port}")
    consumer = amqp.consumer()
    assert len(consumer.downs) == 1
    assert "Connection refused" in consumer.downs[0]


def test_a_wrong_password_is_told_without_the_password(amqp: Bench, rabbitmq: Broker):
    amqp.configure(broker_url=f"amqp://guest:hunter2@127.0.0.1:{rabbitmq.port}")
    reason = first_reason(amqp)
    assert "the broker refused the user name, password or certificate" in reason
    assert "hunter2" not in reason


def test_a_missing_virtual_host_is_told(amqp: Bench, rabbitmq: Broker):
    amqp.configure(broker_url=f"amqp://127.0.0.1:{rabbitmq.port}/nowhere")
    assert "vhost nowhere not found" in first_reason(amqp)


def test_a_host_without_an_address_is_told(amqp: Bench):
    amqp.configure(broker_url="amqp://no-such-host.invalid:5672")
    assert "no-such-host.invalid:5672: gaierror" in first_reason(amqp)


def test_a_broker_that_speaks_amqp_1_0_is_recognised(amqp: Bench):
    with answering(b"AMQP\x03\x01\x00\x00") as port:
        amqp.configure(broker_url=f"amqp://127.0.0.1:{port}")
        assert "AMQP 1.0" in first_reason(amqp)


def test_a_broker_that_never_answers_does_not_hold_up_a_stop(amqp: Bench):
    with answering(b"") as port:
        amqp.configure(broker_url=f"amqp://127.0.0.1:{port}")
        consumer = amqp.unstarted(consume=True)
        consumer.transport.start(consumer)
        amqp.loop.turn_for(0.2)
        consumer.stop()
        assert consumer.ups == 0


def test_a_host_that_takes_no_connection_does_not_hold_up_a_stop(amqp: Bench):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        amqp.configure(broker_url=f"amqp://127.0.0.1:{full.getsockname()[1]}")
        consumer = amqp.unstarted(consume=True)
        consumer.transport.start(consumer)
        amqp.loop.turn_for(0.2)
        consumer.stop()
        assert consumer.ups == 0
