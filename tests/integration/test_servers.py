"""The servers that the other tests rely on."""

from __future__ import annotations

import pika
import pytest
import redis
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests.servers.postgres import Database
from tests.servers.rabbitmq import Broker
from tests.servers.redis import Redis


def test_a_database_comes_migrated_and_empty(database: Database):
    with database.connect() as book:
        assert book.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        assert book.execute("SELECT count(*) > 10 FROM django_migrations").fetchone() == (True,)


def test_two_databases_of_a_run_are_apart(database: Database):
    with database.connect() as book:
        book.execute("CREATE TABLE only_here ()")
        assert book.execute("SELECT current_database()").fetchone() == (database.name,)


@pytest.mark.django_db
def test_django_uses_the_servers_of_the_run():
    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        assert cursor.fetchone() == ("off",)
    assert ContentType.objects.filter(app_label="orders").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_with_transactions_of_its_own_leaves_no_events_behind(turn: int):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM order_events")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "INSERT INTO orders"
            " (order_id, symbol, side, quantity, price, created_at, message_id, digest, status)"
            " VALUES ('A', 'AAPL', 'BUY', 1, 1, now(), 'm', '', 'PLACED')"
        )
        cursor.execute(
            "INSERT INTO order_events (order_id, sequence, event, actor) VALUES ('A', 1, 'PLACED', 'test')"
        )


def test_rabbitmq_takes_and_gives_a_message(rabbitmq: Broker):
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as broker:
        channel = broker.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"hello", mandatory=True)
        assert channel.basic_get(queue)[2] == b"hello"


def test_rabbitmqctl_reaches_the_broker_of_the_run(rabbitmq: Broker):
    assert rabbitmq.ctl("eval", "1 + 1.").strip() == "2"


def test_the_redis_of_the_run_answers(redis_server: Redis):
    with redis.Redis(port=redis_server.port) as client:
        assert client.ping()
