"""What only the embedded queue has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg
import pytest
from django.db import connections

from consumers import postgres_queue, transports
from consumers.postgres_session import Session
from consumers.transport import Message, Outcome
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import numbered
from tests.servers.postgres import Database

CONFIRMED, NACKED = Outcome.CONFIRMED, Outcome.NACKED

_HOLDER = """
import sys
import django

django.setup()
from consumers.transports import make_transport
from routing.reactor import Reactor

class Listener:
    def on_up(self): pass
    def on_down(self, reason, queue): sys.exit(reason)
    def on_delivery(self, delivery): print(delivery.body.decode(), flush=True)

reactor = Reactor()
make_transport(reactor, consume=True, publish=False, queue=sys.argv[1]).start(Listener())
reactor.run()
"""


def held(database: Database) -> int:
    with database.connect() as book:
        return book.execute("SELECT count(*) FROM queue_messages WHERE consumer IS NOT NULL").fetchone()[0]


def test_what_a_killed_process_held_is_delivered_again(embedded: Bench, database: Database):
    embedded.publisher().publish(numbered(3))
    env = {**os.environ, **database.env, "DJANGO_SETTINGS_MODULE": "order_entry_project.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, embedded.queue], env=env, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert [holder.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        successor = embedded.consumer()
        assert successor.depth() == 0
        assert successor.deliveries == []
        holder.kill()
    successor.await_deliveries(3)
    assert successor.bodies == [b"0", b"1", b"2"]
    assert all(delivery.redelivered for delivery in successor.deliveries)


def test_the_dead_are_counted_as_waiting(embedded: Bench, database: Database):
    with database.connect() as book:
        book.execute(
            "INSERT INTO queue_messages (queue, body, headers, consumer, deliveries)"
            " VALUES (%s, '', '{}', 12345, 1)",
            [embedded.queue],
        )
    looker = embedded.unstarted(consume=True)
    looker.transport.pause()
    looker.start()
    assert looker.depth() == 1


def test_what_a_living_session_holds_stays_with_it(embedded: Bench, database: Database):
    embedded.publisher().publish(numbered(5))
    holder, other = embedded.consumer(prefetch=3), embedded.consumer()
    holder.await_deliveries(1)
    embedded.loop.until(lambda: len(holder.deliveries) + len(other.deliveries) == 5)
    for _ in range(5):
        assert other.depth() == 0
    assert held(database) == 5
    assert len(holder.deliveries) + len(other.deliveries) == 5


def test_a_message_is_deleted_when_it_is_acknowledged(embedded: Bench, database: Database):
    embedded.publisher().publish(numbered(5))
    consumer = embedded.consumer(acks=True)
    consumer.await_deliveries(5)
    consumer.depth()
    with database.connect() as book:
        assert book.execute("SELECT count(*) FROM queue_messages").fetchone() == (0,)


def test_a_notification_is_enough_to_deliver(embedded: Bench, monkeypatch):
    monkeypatch.setattr(postgres_queue, "_POLL", 3600)
    consumer = embedded.consumer()
    assert consumer.depth() == 0
    embedded.publisher().publish(numbered(3))
    consumer.await_deliveries(3)


def test_a_stop_tells_others_what_it_gives_back(embedded: Bench, monkeypatch):
    monkeypatch.setattr(postgres_queue, "_POLL", 3600)
    embedded.publisher().publish(numbered(3))
    holder = embedded.consumer()
    holder.await_deliveries(3)
    other = embedded.consumer()
    assert other.depth() == 0
    holder.stop()
    other.await_deliveries(3)


def test_what_no_notification_announces_is_found_by_polling(embedded: Bench):
    consumer = embedded.consumer()
    assert consumer.depth() == 0
    embedded.put(b"quiet")
    consumer.await_deliveries(1)


def test_an_idle_consumer_asks_about_once_a_second(embedded: Bench, monkeypatch):
    asked = []
    take = Session.take
    monkeypatch.setattr(Session, "take", lambda *arguments: asked.append(arguments) or take(*arguments))
    consumer = embedded.consumer()
    assert consumer.depth() == 0
    asked.clear()
    embedded.loop.turn_for(2.5)
    assert 2 <= len(asked) <= 3


def test_a_header_that_only_looks_like_a_nul_is_carried(embedded: Bench):
    header = "\\u0000 and \\\\u0000"
    assert embedded.publisher().publish([Message(b"", "m", headers={"odd": header})]) == [CONFIRMED]
    consumer = embedded.consumer()
    consumer.await_deliveries(1)
    assert consumer.deliveries[0].headers == {"odd": header}


def test_the_cause_of_a_message_is_kept(embedded: Bench, database: Database):
    embedded.publisher().publish([Message(b"", "m", correlation_id="cause")])
    with database.connect() as book:
        assert book.execute("SELECT message_id, correlation_id FROM queue_messages").fetchone() == (
            "m",
            "cause",
        )


def test_queues_with_long_names_that_begin_alike_are_apart(embedded: Bench):
    embedded.queue = "q" * 254
    consumer = embedded.consumer()
    embedded.queue += "r"
    embedded.publisher().publish(numbered(1))
    assert consumer.depth() == 0
    assert consumer.deliveries == []


def test_a_database_that_takes_no_writes_is_waited_out(embedded: Bench, database: Database):
    publisher = embedded.publisher()
    name = psycopg.sql.Identifier(database.name)
    with database.connect() as book:
        book.execute(psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        embedded.cut()
        embedded.loop.until(lambda: publisher.ups == 2)
        assert publisher.publish(numbered(1)) == [NACKED]
        embedded.loop.until(lambda: len(publisher.downs) == 2)
        assert "read-only" in publisher.downs[1]
        book.execute("SET transaction_read_only = off")
        book.execute("SET default_transaction_read_only = off")
        book.execute(psycopg.sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        embedded.cut()
    while publisher.publish(numbered(1)) != [CONFIRMED]:
        ups = publisher.ups
        embedded.loop.until(lambda: publisher.ups > ups)  # noqa: B023 - called within this turn


def test_a_database_that_is_not_there_is_named(embedded: Bench):
    side = embedded.unstarted(consume=True)
    # Its own context: it ends before the bench gives the connection its own name back.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connections["default"].settings_dict, "NAME", "nowhere")
        side.transport.start(side)
        embedded.loop.until(lambda: side.downs)
    assert 'database "nowhere" does not exist' in side.downs[0]


def test_a_server_that_stands_still_is_given_up_and_connected_to_again(
    embedded: Bench, database: Database, monkeypatch
):
    monkeypatch.setattr(transports, "_PATIENCE", 1)
    consumer = embedded.consumer()
    with database.connect() as book:
        ((server,),) = book.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name LIKE '%% queue'",
            [database.name],
        )
    os.kill(server, signal.SIGSTOP)
    try:
        embedded.loop.until(lambda: consumer.downs and consumer.ups == 2)
    finally:
        os.kill(server, signal.SIGCONT)
