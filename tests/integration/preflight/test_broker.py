"""What preflight says of brokers and queues, asked of a real RabbitMQ."""

from __future__ import annotations

from uuid import uuid4

import pika
import pytest

from order_entry_project.preflight import broker as checked
from order_entry_project.preflight import queues
from tests.ports import free_port
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def at_broker(rabbitmq, configure):
    """A connection to the configured broker, with queues of the test's own made by `made(consumed=…, routed=…)`."""
    names = {"consumer_queue": f"{uuid4().hex}.IN", "producer_queue": f"{uuid4().hex}.OUT"}
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:

        class AtBroker:
            url = rabbitmq.url
            direct = connection
            consumed, routed = names.values()

            def make(self, queue=None, *, durable=True, auto_delete=False, **arguments):
                named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
                for name in [queue] if queue else names.values():
                    connection.channel().queue_declare(
                        name, durable=durable, auto_delete=auto_delete, arguments=named
                    )

        configure("mq", broker_url=rabbitmq.url, queue_type="quorum", declare=False, **names)
        yield AtBroker()
        for name in names.values():
            connection.channel().queue_delete(name)


def test_queues_of_the_right_type_have_nothing_against_them(at_broker, check):
    at_broker.make(queue_type="quorum")
    found = check(checked.checks())
    assert found.fine, found
    assert "it lets us in, to the virtual host /" in repr(found)
    assert f"queue {at_broker.consumed} is there, 0 messages wait, a quorum queue" in repr(found)


def test_looking_takes_no_message_and_changes_no_queue(at_broker, check):
    at_broker.make(queue_type="quorum", delivery_limit=7)
    channel = at_broker.direct.channel()
    channel.confirm_delivery()
    channel.basic_publish("", at_broker.consumed, b"order", mandatory=True)
    assert "1 messages wait" in repr(check(checked.checks()))
    method, _, body = channel.basic_get(at_broker.consumed, auto_ack=True)
    assert (body, method.redelivered) == (b"order", False)


def test_queues_that_are_missing_are_named_and_not_made(at_broker, check):
    found = check(checked.checks())
    assert [(finding.key, finding.level) for finding in found.all if finding.expected] == [
        ("mq.consumer_queue", "failed"),
        ("mq.producer_queue", "failed"),
    ]
    assert f"queue {at_broker.consumed} does not exist" in repr(found)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
        at_broker.direct.channel().queue_declare(at_broker.consumed, passive=True)


def test_queues_that_workers_declare_may_be_missing(at_broker, check, configure):
    configure("mq", declare=True)
    found = check(checked.checks())
    assert found.fine, found
    assert "is not there yet; the first worker declares it" in repr(found)


def test_a_queue_of_another_type_is_a_warning_and_where_it_is_declared_a_failure(at_broker, check, configure):
    at_broker.make(at_broker.consumed)
    at_broker.make(at_broker.routed, queue_type="quorum")
    warning = check(checked.checks()).warning
    assert (warning.key, "as a classic queue" in warning.found) == ("mq.consumer_queue", True)
    assert warning.expected == "a quorum queue (mq.queue_type quorum)"
    configure("mq", declare=True)
    assert "as a classic queue" in check(checked.checks()).failure.found


def test_a_stream_cannot_be_consumed_as_a_queue_nor_a_queue_as_a_stream(at_broker, check, configure):
    at_broker.make(at_broker.consumed, queue_type="stream")
    at_broker.make(at_broker.routed, queue_type="quorum")
    assert "as a stream queue" in check(checked.checks()).failure.found
    configure("mq", queue_type="stream")
    assert check(checked.checks()).fine
    at_broker.direct.channel().queue_delete(at_broker.consumed)
    at_broker.make(at_broker.consumed, queue_type="classic")
    assert "as a classic queue" in check(checked.checks()).failure.found


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ({}, "classic"),
        ({"durable": False, "message_ttl": 60_000}, "classic"),
        ({"auto_delete": True}, "classic"),
        (
            {
                "queue_type": "classic",
                "dead_letter_exchange": "it's",
                "max_priority": 5,
                "single_active_consumer": True,
            },
            "classic",
        ),
        (
            {
                "queue_type": "quorum",
                "delivery_limit": 5,
                "overflow": "reject-publish",
                "dead_letter_exchange": "dlx",
            },
            "quorum",
        ),
        ({"queue_type": "stream", "max_age": "7D", "stream_max_segment_size_bytes": 1_000_000}, "stream"),
    ],
)
def test_the_type_is_told_however_the_queue_was_made(at_broker, made, kind):
    at_broker.make(at_broker.consumed, **made)
    assert queues.queue_type(at_broker.direct, at_broker.consumed) == kind


def test_of_a_queue_that_is_not_there_no_type_is_told_and_none_is_made(at_broker):
    with pytest.raises(queues.TypeUntold, match="unsupported queue type"):
        queues.queue_type(at_broker.direct, at_broker.consumed)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
        at_broker.direct.channel().queue_declare(at_broker.consumed, passive=True)


def test_a_user_that_may_only_read_and_write_is_let_in_and_not_told_the_type(
    at_broker, check, configure, rabbitmq
):
    at_broker.make(queue_type="quorum")
    user = f"user-{uuid4().hex[:8]}"
    rabbitmq.add_user(user, "secret", configure="^$")
    configure("mq", broker_url=f"amqp://{user}:secret@127.0.0.1:{rabbitmq.port}")
    found = check(checked.checks())
    assert found.fine, found
    assert "this user is not told: ACCESS_REFUSED" in repr(found)


@pytest.mark.parametrize(
    ("login", "vhost", "says", "advice"),
    [
        ("guest:wrong", "", "refused the user name, password", "mq.password"),
        ("guest:guest", "/nosuch", "vhost nosuch not found", "virtual host"),
    ],
)
def test_who_is_not_let_in_hears_why_without_the_password(
    at_broker, check, configure, rabbitmq, login, vhost, says, advice
):
    configure("mq", broker_url=f"amqp://{login}@127.0.0.1:{rabbitmq.port}{vhost}")
    failure = check(checked.checks()).failure
    assert says in failure.found
    assert advice in failure.advice
    assert "wrong" not in repr(failure)


def test_each_host_is_asked_for_itself(at_broker, check, configure, rabbitmq):
    at_broker.make(queue_type="quorum")
    configure("mq", broker_url=f"amqp://guest:guest@127.0.0.1:{free_port()},127.0.0.1:{rabbitmq.port}")
    found = check(checked.checks())
    assert "Connection refused" in found.failure.found
    assert "a quorum queue" in repr(found)


def test_a_broker_that_hangs_is_given_up_within_the_limit(at_broker, check, configure, rabbitmq):
    with TcpProxy(rabbitmq.port) as proxy:
        proxy.freeze()
        configure("mq", broker_url=f"amqp://guest:guest@127.0.0.1:{proxy.port}")
        failure = check(checked.checks(), limit=1.0).failure
        proxy.thaw()
    assert failure.key == "mq.broker_url"


def test_a_certificate_that_cannot_be_used_is_named_in_place_of_the_broker(check, configure, tmp_path):
    configure("mq", broker_url="amqps://broker.invalid", client_cert=tmp_path / "absent.pem")
    failure = check(checked.checks()).failure
    assert failure.key == "mq.client_cert"
    assert "No such file" in failure.found


def test_the_embedded_queue_is_read(book, check, configure):
    configure("mq", broker_url="postgresql://")
    assert "the embedded queue TRADE.VALIDATED.ORDERS can be read; 0 messages wait" in repr(
        check(checked.checks())
    )
    with book.connect() as connection:
        connection.execute("DROP TABLE queue_messages")
    failure = check(checked.checks()).failure
    assert 'relation "queue_messages" does not exist' in failure.found
