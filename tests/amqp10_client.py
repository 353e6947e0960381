"""An AMQP 1.0 client of the tests' own: proton's blocking one, which keeps to no rule that it is not told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from uuid import uuid4

from proton import ConnectionException, Endpoint, Link, Message, symbol
from proton.reactor import Container, LinkOption
from proton.utils import BlockingConnection, BlockingReceiver, BlockingSender

_PATIENCE = 10.0


class ToQueue(LinkOption):
    """The capability that says that an address is a queue's."""

    def apply(self, link: Link) -> None:
        terminus = link.target if link.is_sender else link.source
        terminus.capabilities.put_object(symbol("queue"))


class Client:
    def __init__(self, connection: BlockingConnection) -> None:
        self.connection = connection

    def sender(self, queue: str, *options: Any) -> BlockingSender:
        return self.connection.create_sender(queue, name=uuid4().hex, options=[ToQueue(), *options])

    def receiver(self, queue: str, *options: Any, credit: int = 1) -> BlockingReceiver:
        return self.connection.create_receiver(
            queue, credit=credit, name=uuid4().hex, options=[ToQueue(), *options]
        )

    def turn_until_closed(self) -> None:
        """Raises what the broker closes the connection with."""
        self.connection.wait(
            lambda: self.connection.conn.state & Endpoint.REMOTE_CLOSED, timeout=_PATIENCE, msg="closing"
        )


@contextmanager
def client(url: str, *, container: str | None = None, **options: Any) -> Iterator[Client]:
    """`container`: its container id; `options`: of proton's `BlockingConnection`."""
    inside = Container()
    if container is not None:
        inside.container_id = container
    made = BlockingConnection(
        url.replace("amqp10", "amqp", 1), timeout=_PATIENCE, container=inside, **options
    )
    with closing(made):
        try:
            yield Client(made)
        finally:
            with suppress(ConnectionException):
                made.close()


def message(queue: str, body: Any = b"{}", **properties: Any) -> Message:
    """As a queue manager takes it: durable, addressed, a data section."""
    return Message(body=body, **{"inferred": True, "durable": True, "address": queue, **properties})
