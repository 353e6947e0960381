"""One AMQP 1.0 connection with one session, as proton's engine keeps it: bytes in, bytes out, no input or output.

Note on cproton: proton's own wrappers make five objects for each event and each delivery, which costs more than all
else that is done for a message. So events are looked through, and deliveries handled, by the functions that those
wrappers call; a delivery is the pointer they give, valid until it is settled or its engine is gone.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import pika
import proton
from cproton import (
    PN_CONNECTION_REMOTE_CLOSE,
    PN_CONNECTION_REMOTE_OPEN,
    PN_DELIVERY,
    PN_LINK_FLOW,
    PN_LINK_REMOTE_CLOSE,
    PN_LINK_REMOTE_DETACH,
    PN_LINK_REMOTE_OPEN,
    PN_SESSION_REMOTE_CLOSE,
    PN_TRANSPORT_CLOSED,
    PN_TRANSPORT_ERROR,
    isnull,
    pn_collector_peek,
    pn_collector_pop,
    pn_event_delivery,
    pn_event_type,
)
from pika.credentials import ExternalCredentials

from consumers.amqp_parameters import NOBODY

_MAX_FRAME = 64 * 1024
_QUEUE = proton.symbol("queue")
_RABBITMQ = "RabbitMQ"


@dataclass(slots=True, frozen=True)
class Ended:
    """Why a connection, a session or a link was ended: AMQP's name of the error, and words."""

    name: str
    description: str


class Owner(Protocol):
    def on_open(self) -> None:
        """The broker has let us in: attach what is wanted."""

    def on_link(self, link: Any) -> None:
        """The broker has attached `link`."""

    def on_flow(self, link: Any) -> None: ...
    def on_deliveries(self, deliveries: list[Any]) -> None:
        """Something has come of these: more to read, or what the broker says of what was sent."""

    def on_refused(self, ended: Ended) -> None:
        """The broker has ended the link or the session."""


class Engine:
    """`ended`: why it is over, once it is."""

    def __init__(self, parameters: pika.ConnectionParameters, owner: Owner, *, purpose: str) -> None:
        self._owner = owner
        self.ended: Ended | None = None
        self._connection = proton.Connection()
        self._connection.container = _container_id(purpose)
        # RabbitMQ's plugin finds the virtual host here; others want the name of the host.
        vhost = parameters.virtual_host
        self._connection.hostname = parameters.host if vhost == "/" else f"vhost:{vhost}"
        self._collector = proton.Collector()
        self._connection.collect(self._collector)
        self._transport = proton.Transport()
        self._transport.max_frame_size = _MAX_FRAME
        self._transport.idle_timeout = parameters.heartbeat
        self._log_in(parameters.credentials)
        self._transport.bind(self._connection)
        self._connection.open()
        self._session: Any = None
        self._closing = False

    def _log_in(self, credentials: Any) -> None:
        sasl = self._transport.sasl()
        # Of passwords in clear it is the configuration that decides.
        sasl.allow_insecure_mechs = True
        if isinstance(credentials, ExternalCredentials):
            # IBM MQ has no EXTERNAL: a certificate is seen beside ANONYMOUS there.
            sasl.allowed_mechs("EXTERNAL ANONYMOUS")
        elif credentials is NOBODY:
            sasl.allowed_mechs("ANONYMOUS")
        else:
            sasl.allowed_mechs("PLAIN")
            self._connection.user = credentials.username
            self._connection.password = credentials.password

    @property
    def is_rabbitmq(self) -> bool:
        return self._said_of_itself("product") == _RABBITMQ

    @property
    def broker(self) -> str:
        """What it says it is: product and version, else its container's name."""
        said = " ".join(filter(None, (self._said_of_itself("product"), self._said_of_itself("version"))))
        return said or str(self._connection.remote_container)

    def _said_of_itself(self, key: str) -> str:
        return str((self._connection.remote_properties or {}).get(proton.symbol(key), ""))

    def receiver(self, address: str) -> Any:
        link = self._begun().receiver(f"from {address}")
        link.source.address = address
        return _attach(link)

    def sender(self, address: str) -> Any:
        link = self._begun().sender(f"to {address}")
        link.target.address = address
        link.snd_settle_mode = proton.Link.SND_UNSETTLED
        return _attach(link)

    def _begun(self) -> Any:
        if self._session is None:
            self._session = self._connection.session()
            self._session.open()
        return self._session

    def end_session(self) -> None:
        """With all its links; the next link is of a new one."""
        if self._session is not None:
            self._session.close()
            self._session.free()
            self._session = None

    def close(self) -> None:
        """The session first: RabbitMQ's plugin drops what it was sent just before its connection is closed."""
        if self._session is None:
            self._connection.close()
        else:
            self._closing = True
            self._session.close()

    def tick(self, now: float) -> float:
        """Heartbeats, both ways; when this wants to be called next, by the same clock, 0: no matter when."""
        deadline = float(self._transport.tick(now))
        self.notice()
        return deadline

    def receive(self, data: bytes) -> None:
        """What has come from the network; the owner is told what it means."""
        view = memoryview(data)
        try:
            while view:
                room = self._transport.capacity()
                if room <= 0:
                    break
                self._transport.push(view[:room])
                view = view[room:]
        except proton.ProtonException:
            self._over(self._transport.condition)
        self.notice()

    def receive_end(self) -> None:
        """Nothing more will come."""
        try:
            self._transport.close_tail()
        except proton.ProtonException:
            self._over(self._transport.condition)
        self.notice()

    def output(self) -> bytes:
        """What is to be sent."""
        pieces = []
        while (pending := self._transport.pending()) > 0:
            pieces.append(self._transport.peek(pending))
            self._transport.pop(pending)
        return b"".join(pieces)

    def notice(self) -> None:
        """Tell the owner what has happened: of deliveries together, before the next event of another kind."""
        collector = self._collector._impl  # noqa: SLF001 - see the note on cproton
        touched: list[Any] = []
        while not isnull(event := pn_collector_peek(collector)):
            kind = pn_event_type(event)
            if kind == PN_DELIVERY:
                touched.append(pn_event_delivery(event))
            elif handle := _HANDLERS.get(kind):
                self._deliveries(touched)
                touched = []
                handle(self, proton.Event.wrap(event))
            pn_collector_pop(collector)
        self._deliveries(touched)

    def _deliveries(self, touched: list[Any]) -> None:
        if touched and self.ended is None:
            self._owner.on_deliveries(touched)

    def _on_connection_open(self, _event: Any) -> None:
        self._owner.on_open()

    def _on_link_open(self, event: Any) -> None:
        self._owner.on_link(event.link)

    def _on_link_flow(self, event: Any) -> None:
        self._owner.on_flow(event.link)

    def _on_link_close(self, event: Any) -> None:
        self._refused(event.link)

    def _on_session_close(self, event: Any) -> None:
        if self._closing:
            self._connection.close()
        else:
            self._refused(event.session)

    def _refused(self, endpoint: Any) -> None:
        if not endpoint.state & proton.Endpoint.LOCAL_CLOSED and self.ended is None:
            self._owner.on_refused(_ended(endpoint.remote_condition))

    def _on_connection_close(self, event: Any) -> None:
        self._over(event.connection.remote_condition)
        self._connection.close()

    def _on_transport_end(self, _event: Any) -> None:
        self._over(self._transport.condition)

    def _over(self, condition: Any) -> None:
        if self.ended is None:
            self.ended = _ended(condition)


_HANDLERS = {
    PN_CONNECTION_REMOTE_OPEN: Engine._on_connection_open,  # noqa: SLF001
    PN_CONNECTION_REMOTE_CLOSE: Engine._on_connection_close,  # noqa: SLF001
    PN_SESSION_REMOTE_CLOSE: Engine._on_session_close,  # noqa: SLF001
    PN_LINK_REMOTE_OPEN: Engine._on_link_open,  # noqa: SLF001
    PN_LINK_REMOTE_DETACH: Engine._on_link_close,  # noqa: SLF001
    PN_LINK_REMOTE_CLOSE: Engine._on_link_close,  # noqa: SLF001
    PN_LINK_FLOW: Engine._on_link_flow,  # noqa: SLF001
    PN_TRANSPORT_ERROR: Engine._on_transport_end,  # noqa: SLF001
    PN_TRANSPORT_CLOSED: Engine._on_transport_end,  # noqa: SLF001
}


def _ended(condition: Any) -> Ended:
    if condition is None:
        return Ended("", "the broker ended it without a reason")
    return Ended(str(condition.name), str(condition.description or ""))


def _attach(link: Any) -> Any:
    """As a queue: IBM MQ takes a name for a topic where the capability is not asked for."""
    for terminus in (link.source, link.target):
        terminus.capabilities.put_object(_QUEUE)
    link.open()
    return link


def _container_id(purpose: str) -> str:
    """Of this connection alone: IBM MQ ends an older one whose id comes again."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:64]
    return f"order-entry-{purpose}.{host}.{os.getpid()}.{uuid4().hex[:8]}"
