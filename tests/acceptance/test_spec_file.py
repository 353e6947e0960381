"""The specification's own configuration file, hosts and certificates replaced, on a broker of either protocol."""

from __future__ import annotations

import pika
import pytest

from tests.acceptance.secured import USER
from tests.acceptance.system import system
from tests.mutual_tls import Authority
from tests.ports import free_port
from tests.servers.asking import private
from tests.servers.rabbitmq import BY_CERTIFICATE, MUTUAL_TLS, Broker, broker
from tests.servers.strict_peer import StrictPeer, strict_peer
from tests.unit.test_config import SPEC

pytestmark = pytest.mark.long

QUEUES = IN, OUT = "TRADE.VALIDATED.ORDERS", "TRADE.ROUTED.ORDERS"


@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path)
    made.issue("server.pem", host="localhost")
    made.issue("client.pem", USER)
    return made


@pytest.fixture
def at_rabbitmq(tmp_path, authority):
    """Port, and how many messages wait."""
    port = free_port()
    config = MUTUAL_TLS.format(port=port, folder=tmp_path)
    starting = broker(tmp_path, more_config=config, plugins=BY_CERTIFICATE)
    with private("RabbitMQ", starting) as got:
        own = Broker(**got)
        own.add_user(USER)
        with pika.BlockingConnection(pika.URLParameters(own.url)) as connection:
            channel = connection.channel()
            for queue in QUEUES:
                channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            yield port, lambda queue: channel.queue_declare(queue, passive=True).method.message_count


@pytest.fixture
def at_the_strict_peer(tmp_path, authority, amqp10_package):
    options = {"certificate": str(tmp_path / "server.pem"), "authority": str(authority.ca_cert)}
    with private("strict peer", strict_peer(tmp_path, **options)) as got:
        peer = StrictPeer(**got)
        for queue in QUEUES:
            peer.ask("declare", queue=queue)
        yield peer.port, peer.ready


@pytest.mark.parametrize("at", ["at_rabbitmq", "at_the_strict_peer"])
def test_the_specs_file_works_whichever_amqp_its_broker_speaks(at, request, database, tmp_path, authority):
    port, ready = request.getfixturevalue(at)
    file = tmp_path / "order-entry.yaml"
    client = tmp_path / "client.pem"
    file.write_text(
        SPEC.replace("mq.trading.internal:5672", f"localhost:{port}").replace(
            "/etc/certs/mq-client.pem", str(client)
        )
    )
    with system(database, tmp_path) as made:
        # Of the queue nothing but the file speaks; the rest is what this machine has.
        env = {name: value for name, value in made.env.items() if "ORDER_ENTRY__MQ__" not in name}
        made.env.clear()
        made.env.update(env, ORDER_ENTRY_CONFIG=str(file))
        with made.configured(
            MQ__CA_CERT=str(authority.ca_cert),
            DATABASE__CREDENTIALS_SOURCE="environment",
            CACHE__STORE="postgresql",
            IDEMPOTENCY__STORE="postgresql",
        ) as here:
            here.manage("publish_sample_orders", "100", "--broken", "0", "--duplicates", "0")
            assert ready(IN) == 100
            here.drain()
            assert here.statuses() == {"ROUTED": 100}
    assert (ready(IN), ready(OUT)) == (0, 100)
