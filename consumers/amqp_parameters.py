"""How to reach the broker: the `mq` section as pika's parameters, TLS and credentials included."""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

import pika
from django.conf import settings
from pika.credentials import ExternalCredentials, PlainCredentials

_TCP_TIMEOUT = 5.0  # seconds to connect
_OPEN_TIMEOUT = 10.0  # seconds until the broker has opened the connection
_PORT, _TLS_PORT = 5672, 5671


def broker_parameters(*, purpose: str) -> list[pika.ConnectionParameters]:
    """One set per host of `broker_url`; `purpose` is shown beside the connection at the broker.

    Certificates are read each time, so that renewed ones serve the next connection. Raises `ValueError`
    naming the key whose file cannot be used.
    """
    mq = settings.CONFIG.mq
    context = _tls_context() if mq.tls else None
    url = urlsplit(mq.broker_url)
    hosts = [urlsplit(f"//{host}") for host in url.netloc.rpartition("@")[2].split(",")]
    return [
        pika.ConnectionParameters(
            host=host.hostname,
            port=host.port or (_TLS_PORT if url.scheme == "amqps" else _PORT),
            virtual_host=unquote(url.path[1:]) or "/",
            credentials=_credentials(url.username, url.password),
            ssl_options=pika.SSLOptions(context, host.hostname) if context else None,
            heartbeat=mq.heartbeat,
            socket_timeout=_TCP_TIMEOUT,
            stack_timeout=_OPEN_TIMEOUT,
            client_properties={
                "connection_name": f"order-entry {purpose} {socket.gethostname()}.{os.getpid()}"
            },
        )
        for host in hosts
    ]


def _credentials(user: str | None, password: str | None) -> ExternalCredentials | PlainCredentials:
    """The URL's user, else `username`, else whom the certificate names, else the user RabbitMQ comes with."""
    mq = settings.CONFIG.mq
    if user is not None:
        return PlainCredentials(unquote(user), unquote(password or ""))
    if mq.username is not None:
        return PlainCredentials(mq.username, mq.password.get_secret_value() if mq.password else "")
    return ExternalCredentials() if mq.client_cert else PlainCredentials("guest", "guest")


def _tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and name verified."""
    mq = settings.CONFIG.mq
    try:
        context = ssl.create_default_context(cafile=mq.ca_cert)
    except OSError as error:
        raise ValueError(f"mq.ca_cert {mq.ca_cert}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if mq.client_cert:
        try:
            context.load_cert_chain(mq.client_cert, mq.client_key)
        except OSError as error:
            files = " with mq.client_key ".join(str(file) for file in (mq.client_cert, mq.client_key) if file)
            raise ValueError(f"mq.client_cert {files}: {error}") from None
    return context
