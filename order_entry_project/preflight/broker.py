"""The broker: each of its hosts by itself, then the queues."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from django.conf import settings
from django.db import DatabaseError, connection
from pika import BlockingConnection, ConnectionParameters
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from consumers import amqp_versions
from consumers.amqp_errors import cause, explain
from consumers.amqp_parameters import broker_parameters
from consumers.amqp_versions import Version
from consumers.models import QueueMessage
from order_entry_project.preflight import broker10, endpoint, queues
from order_entry_project.preflight.endpoint import Endpoint
from order_entry_project.preflight.finding import Finding, Level, failed, first_line, ok
from order_entry_project.preflight.run import Check

_URL = "mq.broker_url"
_ADVICE = (
    (
        ProbableAuthenticationError,
        "set mq.username and mq.password, or have the broker map the certificate's name",
    ),
    (AuthenticationError, "set mq.username and mq.password, or enable EXTERNAL at the broker"),
    (ProbableAccessDeniedError, "create the virtual host, or give the user permissions in it"),
    (IncompatibleProtocolError, "name its AMQP 0-9-1 listener; amqps:// where that expects TLS"),
)


def checks() -> list[Check]:
    if settings.CONFIG.mq.embedded:
        return [Check("queue", _URL, _embedded)]
    brokers = enumerate(settings.CONFIG.mq.addresses)
    return [Check(f"broker {one.netloc}", _URL, partial(_findings, index)) for index, one in brokers]


def _findings(index: int, patience: float) -> Iterator[Finding]:
    try:
        host = broker_parameters(purpose="preflight")[index]
    except ValueError as error:
        yield _unusable(str(error))
    else:
        yield from _host(host, patience)


def _unusable(reason: str) -> Finding:
    """Certificates and credentials are asked for before a connection is."""
    first = reason.partition(" ")[0]
    return failed(
        first if first.startswith("mq.") else "mq.username",
        reason,
        expected="files that TLS can use, and a source that gives the credentials",
        advice="see what the checks of certificates and of credentials say",
    )


def _host(host: ConnectionParameters, patience: float) -> Iterator[Finding]:
    tls = host.ssl_options
    here = Endpoint(_URL, host.host, host.port, tls.context if tls else None, host.host)
    for finding in endpoint.connect(here, patience / 2):
        yield finding
        if finding.level is Level.FAILED:
            return
    host.socket_timeout = host.stack_timeout = host.blocked_connection_timeout = patience / 2
    if amqp_versions.version_of(settings.CONFIG.mq.broker_url) is Version.V1_0:
        yield from broker10.findings(host, patience / 2)
        return
    try:
        broker = BlockingConnection(host)
    except (AMQPError, AMQPConnectorException, OSError) as error:
        over_1_0 = list(broker10.findings(host, patience / 2)) if _is_incompatible(error) else []
        if any(finding.level is Level.OK for finding in over_1_0):
            yield from over_1_0
        else:
            yield _refused(error, over_tls=tls is not None)
        return
    try:
        yield ok(_URL, f"it lets us in, to the virtual host {host.virtual_host}")
        yield from queues.findings(broker)
    finally:
        if broker.is_open:
            broker.close()


def _is_incompatible(error: Exception) -> bool:
    """It may speak AMQP 1.0 only."""
    return isinstance(cause(error), IncompatibleProtocolError)


def _refused(error: Exception, *, over_tls: bool) -> Finding:
    found = cause(error)
    if over_tls and isinstance(found, IncompatibleProtocolError):
        # TLS 1.3: the client has finished its handshake before the server looks at its certificate.
        return failed(
            _URL,
            f"the broker ends the connection once TLS stands: {first_line(found)}",
            expected="a broker that believes mq.client_cert and speaks AMQP 0-9-1",
            advice="compare mq.client_cert with the authorities the broker trusts, see its log",
        )
    advice = next((words for kind, words in _ADVICE if isinstance(found, kind)), "see the broker's log")
    return failed(
        _URL,
        explain(error, ""),
        expected="a broker that lets this user into this virtual host",
        advice=advice,
    )


def _embedded(patience: float) -> Iterator[Finding]:
    """A table of the order book's database."""
    del patience
    mq = settings.CONFIG.mq
    try:
        for name in mq.queues:
            waiting = QueueMessage.objects.filter(queue=name, consumer=None).count()
            yield ok("mq.consumer_queue", f"the embedded queue {name} can be read; {waiting:,} messages wait")
    except DatabaseError as error:
        yield failed(
            _URL,
            f"the embedded queue cannot be read: {first_line(error)}",
            expected="the table queue_messages in the order book's database",
            advice="see what the check of the database says; manage.py migrate",
        )
    finally:
        connection.close()
