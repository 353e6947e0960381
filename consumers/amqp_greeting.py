"""Whether a broker lets this service in, in the version it speaks: for health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from pika import BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, IncompatibleProtocolError

from consumers import amqp10_extra, amqp_versions
from consumers.amqp_errors import cause, is_refused_login
from consumers.amqp_parameters import broker_parameters, credentials_refused
from consumers.amqp_versions import Version

if TYPE_CHECKING:
    import pika


def greet(patience: float) -> None:
    """Open a connection to one of the brokers, as far as the end of the handshake, and close it.

    Raises pika's errors, `OSError`, `ValueError`; for all brokers together it takes `patience` seconds.
    """
    brokers = broker_parameters(purpose="health")
    for broker in brokers:
        broker.socket_timeout = broker.stack_timeout = patience / len(brokers)
    url = settings.CONFIG.mq.broker_url
    if amqp_versions.version_of(url) is Version.V1_0:
        _greet_1_0(brokers)
        return
    try:
        BlockingConnection(brokers).close()
    except (AMQPError, AMQPConnectorException) as error:
        if is_refused_login(error):
            credentials_refused(brokers[0].credentials)
        if not isinstance(cause(error), IncompatibleProtocolError):
            raise
        try:
            _greet_1_0(brokers)
        except (OSError, ValueError):
            raise error from None
        amqp_versions.answered(url, Version.V1_0)


def _greet_1_0(brokers: list[pika.ConnectionParameters]) -> None:
    amqp10_extra.require()
    from consumers.amqp10.addresses import addressing
    from consumers.amqp10.visit import visit

    address = addressing(settings.CONFIG.mq.address)
    for broker in brokers[:-1]:
        try:
            visit(broker, patience=broker.socket_timeout, address=address)
        except OSError:
            continue
        return
    visit(brokers[-1], patience=brokers[-1].socket_timeout, address=address)
