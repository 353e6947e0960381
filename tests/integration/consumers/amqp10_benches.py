"""The same for AMQP 1.0: at RabbitMQ's plugin, at the strict peer, at a queue manager that somebody names."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import proton
import pytest

from consumers.transport import Message
from tests.amqp10_client import client, message
from tests.integration.consumers.benches import Bench, Odd, configuring, rabbitmq_queue
from tests.integration.consumers.turning import Loop
from tests.servers.rabbitmq import Broker
from tests.servers.strict_peer import StrictPeer
from tests.tcp_proxy import TcpProxy

IBM_MQ = "ORDER_ENTRY_TEST_AMQP10_URL"

_UNSENDABLE = [Message(b"surrogate", "\ud800")]


@contextmanager
def _bench(target: int | tuple[str, int], user: str, queue: str, **parts: Any) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch, TcpProxy(target) as proxy:
        configure = configuring(patch)
        configure(broker_url=f"amqp10://{user}127.0.0.1:{proxy.port}", declare=False)
        bench = Bench(
            Loop(),
            queue,
            configure,
            proxy.cut,
            counts=False,
            flat=True,
            unsendable=_UNSENDABLE,
            line=proxy,
            **parts,
        )
        try:
            yield bench
        finally:
            bench.close()


@contextmanager
def plugin_bench(broker: Broker) -> Iterator[Bench]:
    """RabbitMQ's AMQP 1.0. It says of no message that its queue is missing.

    A classic queue: of a quorum queue the plugin loses acknowledgements that its session has not passed on yet when
    it ends (more than 32 at once), and delivers these again.
    """
    with (
        rabbitmq_queue(broker, "classic") as queue,
        _bench(broker.port, "guest:guest@", queue.name, put=queue.put, ready=queue.ready) as bench,
    ):
        yield bench


@contextmanager
def strict_bench(peer: StrictPeer) -> Iterator[Bench]:
    queue = f"test-{uuid4().hex}"
    peer.ask("declare", queue=queue)

    def put(body: bytes) -> None:
        peer.put(queue, [proton.Message(body=body, inferred=True)])

    try:
        with _bench(
            peer.port,
            "guest:guest@",
            queue,
            put=put,
            ready=lambda: peer.ready(queue),
            odd=_odd(peer, queue),
            remove=lambda: peer.ask("delete", queue=queue),
            create=lambda: peer.ask("declare", queue=queue),
            limit=lambda count: peer.ask("declare", queue=queue, limit=count),
        ) as bench:
            yield bench
    finally:
        peer.ask("delete", queue=queue)


def _odd(peer: StrictPeer, queue: str) -> Sequence[Odd]:
    def odd(
        what: str,
        sent: proton.Message,
        *,
        read_id: str | None = None,
        body: bytes = b"{}",
        headers: dict[str, Any] | None = None,
    ) -> Odd:
        return Odd(what, lambda: peer.put(queue, [sent]), body, read_id, headers or {})

    one, nine = uuid.UUID("12345678-1234-5678-1234-567812345678"), uuid.UUID(int=9)
    mixed = proton.Message(body=b"{}", inferred=True)
    mixed.properties = {"at": proton.timestamp(1771065045000), "raw": b"\xff-", "by": nine}
    return [
        odd("a uuid for an id", proton.Message(body=b"{}", inferred=True, id=one), read_id=str(one)),
        odd(
            "a number for an id", proton.Message(body=b"{}", inferred=True, id=proton.ulong(42)), read_id="42"
        ),
        odd("bytes for an id", proton.Message(body=b"{}", inferred=True, id=b"caf\xe9"), read_id=r"caf\xe9"),
        odd("a string for a body", proton.Message(body="schön"), body="schön".encode()),
        odd("binary in a value for a body", proton.Message(body=b"{}", inferred=False)),
        odd("no body at all", proton.Message(), body=b""),
        odd(
            "times, bytes and uuids in headers",
            mixed,
            headers={"at": "2026-02-14T10:30:45+00:00", "raw": r"\xff-", "by": str(nine)},
        ),
    ]


@contextmanager
def ibm_mq_bench() -> Iterator[Bench]:
    """`amqp10://user:password@host:port/?queue=NAME`: an empty queue that nobody else uses. Skips where none is named.

    The line to it goes through a proxy, which TLS would notice: a channel without.
    """
    if not (named := os.environ.get(IBM_MQ)):
        pytest.skip(f"{IBM_MQ} names no queue manager")
    url = urlsplit(named)
    try:
        (queue,) = parse_qs(url.query)["queue"]
    except (KeyError, ValueError):
        pytest.fail(f"{IBM_MQ}: expected amqp10://user:password@host:port/?queue=NAME")
    user, _, _ = url.netloc.rpartition("@")
    bare = f"amqp10://{url.netloc}"
    _empty(bare, queue)

    def put(body: bytes) -> None:
        with client(bare) as raw:
            raw.sender(queue).send(message(queue, body))

    def ready() -> int:
        pytest.skip("a queue manager does not tell by AMQP how many messages wait")

    with _bench(
        (url.hostname or "", url.port or 5672), user and f"{user}@", queue, put=put, ready=ready
    ) as bench:
        yield bench
    _empty(bare, queue)


def _empty(url: str, queue: str) -> None:
    with client(url) as raw:
        receiver = raw.receiver(queue, credit=100)
        while True:
            try:
                receiver.receive(timeout=1)
            except proton.Timeout:
                return
            receiver.accept()
