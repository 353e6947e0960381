"""`publish_sample_orders` and `queue_depth`, at a queue and as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from django.core.management import CommandError, call_command, load_command_class

from orders.schema import InvalidOrder, decode
from tests.checkout import MANAGE
from tests.integration.consumers.benches import Bench
from tests.ports import free_port
from tests.runbook import from_the_command_line
from tests.servers.postgres import Database


def publish(bench: Bench, capsys, *arguments: str) -> dict[str, int]:
    """What the command says it has published into the bench's queue."""
    bench.configure(consumer_queue=bench.queue)
    call_command("publish_sample_orders", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def counted(bench: Bench) -> None:
    if not bench.counts:
        pytest.skip("over AMQP 1.0 no broker tells how many messages wait")


def is_order(delivery) -> bool:
    try:
        decode(delivery.body, delivery.content_type, None)
    except InvalidOrder:
        return False
    return True


def test_what_is_published_is_what_was_said(bench: Bench, capsys):
    said = publish(bench, capsys, "300", "--duplicates", "0.1", "--broken", "0.2", "--avro", "0.3")
    assert said == {"messages": 300, "distinct": 210, "duplicates": 30, "broken": 60}
    consumer = bench.consumer(prefetch=400)
    consumer.await_deliveries(300)
    consumer.await_depth_0()
    orders = [delivery.message_id for delivery in consumer.deliveries if is_order(delivery)]
    assert (len(consumer.deliveries), len(orders), len(set(orders))) == (300, 240, 210)


def test_more_than_are_in_flight_at_once_are_all_published(bench: Bench, capsys):
    assert publish(bench, capsys, "5001", "--broken", "0")["messages"] == 5001
    bench.check_ready(5001)


def test_another_queue_can_be_named(bench: Bench, capsys):
    bench.configure(consumer_queue="somewhere-else")
    call_command("publish_sample_orders", "3", "--queue", bench.queue)
    assert f"3 messages are in {bench.queue}: 3 orders, 0 duplicates, 0 broken" in capsys.readouterr().out
    bench.consumer().await_deliveries(3)


def test_a_missing_queue_is_an_error(amqp: Bench, capsys):
    amqp.configure(declare=False)
    missing = f"{amqp.queue}-missing"
    with pytest.raises(CommandError, match=f"{missing}: there is no such queue: create it or set mq.declare"):
        call_command("publish_sample_orders", "100", "--queue", missing)


def test_a_broker_that_is_away_is_an_error(amqp: Bench):
    amqp.configure(broker_url=f"amqp://127.0.0.1:{free_port()}")
    with pytest.raises(
        CommandError, match=r"cannot be reached: .*refused.* \(0 of 100 messages are confirmed\)"
    ):
        call_command("publish_sample_orders", "100", "--queue", amqp.queue)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-1"], "expected a whole number from 0, got '-1'"),
        (["many"], "expected a whole number from 0, got 'many'"),
        (["10", "--duplicates", "1.5"], "argument --duplicates: expected a share from 0 to 1, got '1.5'"),
        (["10", "--broken", "nan"], "argument --broken: expected a share from 0 to 1, got 'nan'"),
        (["10", "--rate", "0"], "argument --rate: expected messages a second, from 0.01, got '0'"),
        (["10", "--prefix", "a b"], "argument --prefix: expected 1 to 48 characters"),
        (["10", "--prefix", "x" * 49], "argument --prefix: expected 1 to 48 characters"),
        (["10", "--duplicates", "1"], "10 duplicates and 0 broken leave 0 of 10 messages for orders"),
        (["0"], "COUNT 0, without end, needs a --rate"),
    ],
    ids=str,
)
def test_what_cannot_be_published_is_refused(arguments: list[str], complaint: str):
    answer = from_the_command_line("publish_sample_orders", *arguments)
    assert answer.code
    assert complaint in answer.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_publishing_without_end_ends_well_when_told_to(embedded: Bench, database: Database, number: int):
    consumer = embedded.consumer(acks=True)
    with subprocess.Popen(
        [*MANAGE, "publish_sample_orders", "0", "--rate", "100", "--queue", embedded.queue, "--json"],
        env={**os.environ, **database.env},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        consumer.await_deliveries(20)
        process.send_signal(number)
        said = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    consumer.await_deliveries(said["messages"])
    assert consumer.depth() == 0
    assert len(consumer.deliveries) == said["messages"]


def test_publishing_that_is_stopped_early_says_how_far_it_came(embedded: Bench, database: Database):
    consumer = embedded.consumer(acks=True)
    with subprocess.Popen(
        [*MANAGE, "publish_sample_orders", "5000", "--rate", "100", "--queue", embedded.queue],
        env={**os.environ, **database.env},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        consumer.await_deliveries(5)
        process.terminate()
        complaint = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert "of 5,000 messages" in complaint


def test_queue_depth_tells_both_queues(bench: Bench, capsys):
    counted(bench)
    routed = f"{bench.queue}-routed"
    bench.configure(consumer_queue=bench.queue, producer_queue=routed)
    call_command("publish_sample_orders", "7", "--queue", bench.queue, "--json")
    capsys.readouterr()
    call_command("queue_depth", "--json")
    assert json.loads(capsys.readouterr().out) == {bench.queue: 7, routed: 0}


def test_queue_depth_leaves_the_messages_where_they_are(bench: Bench, capsys):
    counted(bench)
    bench.configure(consumer_queue=bench.queue, producer_queue=None)
    call_command("publish_sample_orders", "7", "--queue", bench.queue, "--json")
    call_command("queue_depth")
    assert "7" in capsys.readouterr().out
    consumer = bench.consumer()
    consumer.await_deliveries(7)
    assert not any(delivery.redelivered for delivery in consumer.deliveries)


def test_queue_depth_of_a_missing_queue_is_an_error(amqp: Bench):
    missing = f"{amqp.queue}-missing"
    amqp.configure(declare=False, consumer_queue=missing)
    with pytest.raises(CommandError, match=f"queue {missing} does not exist"):
        call_command("queue_depth")


@pytest.mark.parametrize("arguments", [["--json", "show"], ["show", "--json"]])
def test_offsets_are_json_wherever_it_is_asked_for(arguments):
    parser = load_command_class("consumers", "consumer_offset").create_parser("manage.py", "consumer_offset")
    assert parser.parse_args(arguments).json
    assert not parser.parse_args(["show"]).json
