"""Streams and several queues: members of a group share them out, resume where they were, take over from the dead."""

import json
import os
import signal

import pytest

from tests.acceptance.system import system
from tests.builders import body
from tests.waiting import wait_until

MEMBERS = 3


@pytest.fixture
def streaming(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, MQ__QUEUE_TYPE="stream", MQ__PREFETCH="50") as made:
        with made.channel() as channel:
            channel.queue_delete(made.queue)
            channel.queue_declare(made.queue, durable=True, arguments={"x-queue-type": "stream"})
        yield made


@pytest.fixture
def partitioned(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, MQ__PREFETCH="20") as made:
        made.partitions = [f"{made.queue}.{number}" for number in range(6)]
        made.env["ORDER_ENTRY__MQ__CONSUMER_QUEUE"] = json.dumps(made.partitions)
        with made.channel() as channel:
            for name in made.partitions:
                channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        yield made


def orders(start, stop):
    return [(f"m-{number}", body(f"ORD-{number:04}")) for number in range(start, stop)]


def publish(made, queue, messages):
    made.queue = queue
    made.publish(*messages)


def position(made):
    """As kept, asked without a process."""
    kept = made.rows("SELECT bins FROM store_records WHERE key LIKE 'consumerOffset:%'")
    return kept[0][0] if kept else {}


def shown(made):
    return next(iter(json.loads(made.manage("consumer_offset", "show", "--json")).values()))


def taken(worker):
    return worker.log.read_text().count("taking ")


def routed(made, count):
    wait_until(lambda: made.statuses() == {"ROUTED": count}, what=f"{count} are routed")


@pytest.mark.long
def test_a_restarted_worker_resumes_a_stream_after_what_is_settled(streaming):
    streaming.publish(*orders(0, 300))
    first = streaming.start("consume_orders", name="first")
    routed(streaming, 300)
    wait_until(lambda: position(streaming).get("offset") == 299, what="the offset is kept")
    first.stop(30)

    streaming.publish(*orders(300, 400))
    second = streaming.start("consume_orders", name="second")
    routed(streaming, 400)
    wait_until(lambda: position(streaming).get("offset") == 399, what="the offset is kept")
    assert (shown(streaming)["count"], shown(streaming)["offset"]) == ("400", "399")
    second.stop(30)

    streaming.manage("consumer_offset", "set", streaming.queue, "first")
    third = streaming.start("consume_orders", name="third")
    wait_until(lambda: int(position(streaming).get("count", 0)) == 400, what="the stream is read again")
    third.stop(30)
    assert streaming.statuses() == {"ROUTED": 400}
    assert streaming.router.executions()["totals"]["executions"] == 400
    actions = streaming.rows("SELECT actor, action FROM audit_entries WHERE action <> 'service.start'")
    assert actions == [("operator", "consumer_offset.set")]


@pytest.mark.long
def test_three_members_read_one_stream_and_another_takes_over_when_the_reader_is_killed(streaming):
    streaming.env["ORDER_ENTRY__ROUTER__CLAIM"] = "5s"
    streaming.router.turn(latency_ms=20)
    workers = [streaming.start("consume_orders", name=f"member-{number}") for number in range(MEMBERS)]
    streaming.publish(*orders(0, 500))
    wait_until(lambda: streaming.statuses().get("ROUTED", 0) > 100, what="some are routed")
    reader = next(worker for worker in workers if taken(worker))
    assert sum(taken(worker) for worker in workers) == 1
    os.kill(reader.pid, signal.SIGKILL)
    streaming.publish(*orders(500, 600))
    routed(streaming, 600)
    assert streaming.router.executions()["totals"]["executions"] == 600
    assert sum(taken(worker) for worker in workers) == 2


def test_six_partitions_are_shared_by_three_members_and_taken_over_from_a_dead_one(partitioned):
    partitioned.env["ORDER_ENTRY__ROUTER__CLAIM"] = "5s"
    partitions = partitioned.partitions
    workers = [partitioned.start("consume_orders", name=f"member-{number}") for number in range(MEMBERS)]

    def held():
        return [
            count
            for (count,) in partitioned.rows(
                """SELECT count(*) - 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid"""
            )
        ]

    wait_until(lambda: held() == [2, 2, 2], what="each member holds two partitions")
    for number, partition in enumerate(partitions):
        publish(partitioned, partition, orders(number * 50, number * 50 + 50))
    wait_until(lambda: sum(partitioned.statuses().values()) > 50, what="some are placed")
    os.kill(workers[0].pid, signal.SIGKILL)
    for number, partition in enumerate(partitions):
        publish(partitioned, partition, orders(300 + number * 10, 300 + number * 10 + 10))
    routed(partitioned, 360)
    assert sorted(held()) == [3, 3]
    assert partitioned.router.executions()["totals"]["executions"] == 360


@pytest.mark.parametrize("settings", [{"MQ__CONSUMER_QUEUE": '["A", "A"]'}, {"MQ__QUEUE_TYPE": "stream"}])
def test_partitions_that_cannot_be_are_refused(database, tmp_path, settings):
    with system(database, tmp_path, **settings) as made:
        made.manage("consume_orders", "--once", expect=1)
