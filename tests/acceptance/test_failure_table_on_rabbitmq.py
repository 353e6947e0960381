"""The design's failure table, the rows that need a broker apart from SQL: what fails, and how each order ends."""

import os
import subprocess
from contextlib import contextmanager

import psycopg
import pytest

from order_entry_project.embedded.postgres import USER, EmbeddedPostgres
from tests.acceptance.system import system
from tests.builders import body
from tests.checkout import MANAGE
from tests.servers.postgres import Database, fresh_database
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

# Of these the broker says at once how many messages they hold, and lets none in above their limit.
KIND = "classic"


@pytest.fixture(scope="module", params=["amqp", pytest.param("amqp10", marks=pytest.mark.long)])
def scheme(request):
    """The protocol the workers speak; the tests themselves speak 0-9-1."""
    if request.param == "amqp10":
        request.getfixturevalue("amqp10_package")
    return request.param


def speaking(scheme, rabbitmq):
    """Over AMQP 1.0 no queue can be declared."""
    url = f"{scheme}://guest:guest@127.0.0.1:{rabbitmq.port}"
    return {"MQ__BROKER_URL": url, "MQ__DECLARE": str(scheme == "amqp").lower()}


@pytest.fixture(scope="module")
def shared(postgresql, rabbitmq, tmp_path_factory, scheme):
    folder = tmp_path_factory.mktemp("failures")
    with (
        fresh_database(postgresql) as database,
        system(database, folder, broker=rabbitmq.url, queue_type=KIND) as made,
        made.configured(**speaking(scheme, rabbitmq)) as spoken,
    ):
        yield spoken


@pytest.fixture
def on_rabbitmq(shared):
    """An empty book and empty queues, a router that answers at once."""
    shared.database.empty()
    shared.router.turn(latency_ms=1)
    with shared.channel() as channel:
        for name in (shared.queue, shared.routed):
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": KIND})
    return shared


def publish(made, *order_ids):
    made.publish(*[(f"m-{order_id}", body(order_id)) for order_id in order_ids])


def numbered(prefix, count):
    return [f"{prefix}-{number}" for number in range(count)]


def await_statuses(made, **statuses):
    wait_until(lambda: made.statuses() == statuses, what=f"the orders are {statuses}")


def messages_in(rabbitmq, queue):
    """Ready ones and unacknowledged ones."""
    listed = rabbitmq.ctl("list_queues", "name", "messages")
    return dict(line.split("\t") for line in listed.splitlines())[queue]


def await_published(made, order_ids):
    seen = set()

    def all_there():
        seen.update(properties.message_id for properties, _ in made.published())
        return seen == {f"routed:{order_id}" for order_id in order_ids}

    wait_until(all_there, what="all are published")


# SQL


@contextmanager
def sql_server(folder):
    with EmbeddedPostgres(folder / "pg", settings={"fsync": "off", "max_connections": 50}) as server:
        yield Database(name="trading_orders", host=str(server.socket))


@pytest.fixture
def sql_of_its_own(tmp_path, rabbitmq, scheme):
    """A system whose SQL is not running yet; `sql_server(its folder)` starts it."""
    with sql_server(tmp_path) as database:
        with psycopg.connect(host=database.host, user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database.name}")
        env = {**os.environ, **database.env}
        subprocess.run([*MANAGE, "migrate", "--verbosity=0", "--skip-checks"], env=env, check=True)
    with (
        system(database, tmp_path, broker=rabbitmq.url, queue_type=KIND) as made,
        made.configured(**speaking(scheme, rabbitmq)) as spoken,
    ):
        yield spoken


def test_while_sql_is_down_nothing_is_acknowledged_and_all_is_done_when_it_is_back(sql_of_its_own, rabbitmq):
    made = sql_of_its_own
    order_ids = numbered("DOWN", 300)
    worker = made.start("consume_orders")
    publish(made, *order_ids[:100])
    wait_until(lambda: "SQL is away" in worker.log.read_text(), what="SQL is missed")
    assert messages_in(rabbitmq, made.queue) == "100"

    with sql_server(made.folder):
        await_statuses(made, ROUTED=100)
        made.router.turn(latency_ms=20)
        publish(made, *order_ids[100:])
        wait_until(lambda: made.statuses()["ROUTED"] > 120, what="some more are routed")
    made.publish(("m-bad", b"not an order"))
    with sql_server(made.folder):
        await_statuses(made, ROUTED=300)
        rejected = "SELECT reason FROM rejected_messages"
        wait_until(lambda: made.rows(rejected) == [("UNREADABLE",)], what="the bad message is quarantined")
        assert made.counts("SELECT outcome, count(*) FROM order_routes GROUP BY 1") == {"ACCEPTED": 300}
        await_published(made, order_ids)
        worker.stop(30)
    assert messages_in(rabbitmq, made.queue) == "0"


@pytest.mark.long
def test_while_sql_is_read_only_nothing_is_acknowledged_and_quarantine_waits_with_it(on_rabbitmq, rabbitmq):
    name = on_rabbitmq.database.name
    with on_rabbitmq.configured() as made, on_rabbitmq.database.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            worker = made.start("consume_orders", name="read-only")
            publish(made, *numbered("READ-ONLY", 20))
            made.publish(("m-bad", b"not an order"))
            wait_until(lambda: "SQL is away" in worker.log.read_text(), what="SQL is missed")
            assert messages_in(rabbitmq, made.queue) == "21"
            assert made.statuses() == {}
        finally:
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        await_statuses(made, ROUTED=20)
        rejected = "SELECT reason FROM rejected_messages"
        wait_until(lambda: made.rows(rejected) == [("UNREADABLE",)], what="the bad message is quarantined")


# Messages

# A worker as it is, but for a decoder that one message ends it in, as a fault in a C library would.
DEADLY = """
import os
from django.core.management import call_command
from orders import schema

decode = schema.decode

def deadly(body, *others):
    if b"DEADLY" in body:
        os._exit(70)
    return decode(body, *others)

schema.decode = deadly
call_command("consume_orders", "--processes", "2")
"""


def test_a_message_that_kills_the_process_is_quarantined_and_its_neighbours_go_on(on_rabbitmq):
    with on_rabbitmq.configured(MQ__MAX_RETRIES="2", ROUTER__TIMEOUT="1s", ROUTER__CLAIM="2s") as made:
        publish(made, *numbered("BESIDE", 30), "DEADLY", *numbered("BEHIND", 30))
        workers = made.start("shell", "--no-imports", "-c", DEADLY, name="deadly")
        rejected = "SELECT reason, message_id, error FROM rejected_messages"
        ((reason, message_id, error),) = wait_until(lambda: made.rows(rejected), what="it is quarantined")
        assert (reason, message_id) == ("POISON", "m-DEADLY")
        assert "it may end the process" in error
        await_statuses(made, ROUTED=60)
        # Its first delivery, and the two more that were allowed.
        assert workers.log.read_text().count("ended with 70") == 3
        workers.stop(30)
        assert made.depth(made.queue) == 0


# The broker


def test_a_full_routed_queue_stops_nobody_and_gets_what_it_refused_when_there_is_room(on_rabbitmq, scheme):
    if scheme == "amqp10":
        pytest.skip("of a full queue RabbitMQ's plugin says nothing: the contract has it at the strict peer")
    full = {"x-queue-type": KIND, "x-max-length": 5, "x-overflow": "reject-publish"}
    with (
        on_rabbitmq.channel() as channel,
        on_rabbitmq.configured(MQ__DECLARE="false", MQ__REPUBLISH_AFTER="1s") as made,
    ):
        channel.queue_delete(made.routed)
        channel.queue_declare(made.routed, durable=True, arguments=full)
        worker = made.start("consume_orders", name="full")
        publish(made, *numbered("FULL", 15))
        await_statuses(made, ROUTED=15)
        left = "SELECT count(*) FROM order_routes WHERE published_at IS NULL"
        wait_until(lambda: 0 < made.rows(left)[0][0] < 15, what="some are refused")
        wait_until(lambda: made.depth(made.queue) == 0, what="all are acknowledged")
        await_published(made, numbered("FULL", 15))
        worker.stop(30)


def test_a_broken_line_to_the_broker_costs_no_order_and_no_second_call(on_rabbitmq, rabbitmq, scheme):
    order_ids = numbered("CUT", 300)
    with (
        TcpProxy(rabbitmq.port) as proxy,
        on_rabbitmq.configured(
            MQ__BROKER_URL=f"{scheme}://guest:guest@127.0.0.1:{proxy.port}", MQ__REPUBLISH_AFTER="1s"
        ) as made,
    ):
        made.router.turn(latency_ms=100)
        publish(made, *order_ids[:1])
        worker = made.start("consume_orders", name="cut")
        await_statuses(made, ROUTED=1)
        publish(on_rabbitmq, *order_ids[1:])
        for enough in (30, 120):
            wait_until(lambda: made.statuses()["ROUTED"] > enough, what=f"{enough} are routed")  # noqa: B023
            proxy.cut()
        await_statuses(made, ROUTED=300)
        await_published(on_rabbitmq, order_ids)
        orders = made.router.executions()["orders"]
        assert {orders[order_id]["requests"] for order_id in order_ids} == {1}
        worker.stop(30)
        assert on_rabbitmq.depth(made.queue) == 0
