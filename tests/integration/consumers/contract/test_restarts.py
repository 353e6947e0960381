"""A broker that ends without a word, and comes back with what it has promised to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from consumers.transport import Outcome
from tests.chaos.faults import REGISTERED
from tests.chaos.servers import Postgres, RabbitMQ
from tests.integration.consumers.benches import Bench, amqp_bench, embedded_bench
from tests.integration.consumers.contract.messages import bodies, numbered
from tests.servers.asking import private
from tests.servers.rabbitmq import Broker
from tests.servers.strict_peer import StrictPeer, strict_peer

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

CONFIRMED = Outcome.CONFIRMED


@dataclass
class Fragile:
    bench: Bench
    kill: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture(scope="module")
def own_rabbitmq(tmp_path_factory) -> Iterator[RabbitMQ]:
    with private("RabbitMQ", RabbitMQ.running(tmp_path_factory.mktemp("broker"))) as made:
        yield made


@pytest.fixture(params=["classic", "quorum", "embedded", "AMQP 1.0 at RabbitMQ", "strict peer"])
def fragile(request: pytest.FixtureRequest, tmp_path) -> Iterator[Fragile]:
    """A broker of the test's own."""
    match request.param:
        case "embedded":
            server = Postgres(tmp_path)
            server.migrate()
            with embedded_bench(server.database) as bench:
                yield Fragile(bench, server.crash, server.start)
            server.close()
        case "strict peer":
            request.getfixturevalue("amqp10_package")
            from tests.integration.consumers.amqp10_benches import strict_bench

            with (
                private("strict peer", strict_peer(tmp_path)) as got,
                strict_bench(StrictPeer(**got)) as bench,
            ):
                peer = StrictPeer(**got)
                yield Fragile(bench, lambda: peer.ask("crash"), lambda: peer.ask("accept"))
        case kind:
            own = request.getfixturevalue("own_rabbitmq")
            with _at_rabbitmq(own.made, kind, request) as bench:
                if kind == "quorum":
                    bench.loop.turn_for(REGISTERED)
                yield Fragile(bench, own.kill, own.start)


def _at_rabbitmq(broker: Broker, kind: str, request: pytest.FixtureRequest) -> AbstractContextManager[Bench]:
    if kind in ("classic", "quorum"):
        return amqp_bench(broker, kind)
    request.getfixturevalue("amqp10_package")
    from tests.integration.consumers.amqp10_benches import plugin_bench

    return plugin_bench(broker)


def test_what_was_confirmed_outlives_the_broker_and_what_was_held_comes_again(fragile: Fragile):
    bench = fragile.bench
    publisher, consumer = bench.publisher(), bench.consumer(prefetch=30)
    assert publisher.publish(numbered(100)) == [CONFIRMED] * 100
    consumer.await_deliveries(30)
    consumer.transport.ack(consumer.deliveries[:10])
    bench.settle(consumer)
    publisher.outcomes.clear()
    fragile.kill()
    publisher.send(numbered(50, start=100))
    bench.loop.until(lambda: consumer.downs and publisher.downs)
    bench.loop.until(lambda: len(publisher.outcomes) == 50)
    fragile.start()
    bench.loop.until(lambda: consumer.ups == publisher.ups == 2, patience=120)
    assert publisher.publish(numbered(50, start=100)) == [CONFIRMED] * 50
    successor = bench.consumer(prefetch=500)
    # The queue delivers at least once: an acknowledgement may have been forgotten with the broker.
    wanted = set(bodies(numbered(140, start=10)))
    bench.loop.until(lambda: wanted <= {*successor.bodies, *consumer.bodies[30:]}, patience=60)
