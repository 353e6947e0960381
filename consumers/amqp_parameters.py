"""How to reach the broker: the `mq` section as pika's parameters, TLS and credentials included."""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

import pika
from django.conf import settings
from pika.credentials import ExternalCredentials, PlainCredentials

from orders.credentials import CredentialsUnavailable, Login

_TCP_TIMEOUT = 5.0  # seconds to connect
_OPEN_TIMEOUT = 10.0  # seconds until the broker has opened the connection
_PORT, _TLS_PORT = 5672, 5671
# The user RabbitMQ comes with. To AMQP 1.0 whoever has no user and no certificate is anonymous.
NOBODY = PlainCredentials("guest", "guest")


def broker_parameters(*, purpose: str) -> list[pika.ConnectionParameters]:
    """One set per host of `broker_url`; `purpose` is shown beside the connection at the broker.

    Certificates and credentials are asked for each time, so that renewed ones serve the next connection. Raises
    `ValueError` naming the key whose file cannot be used, or saying why there are no credentials.
    """
    mq = settings.CONFIG.mq
    context = _tls_context() if mq.tls else None
    url = urlsplit(mq.broker_url)
    return [
        pika.ConnectionParameters(
            host=host.hostname,
            port=host.port or (_TLS_PORT if url.scheme in ("amqps", "amqp10s") else _PORT),
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
        for host in mq.addresses
    ]


def credentials_refused(refused: object) -> None:
    """Have the credentials asked for that a connection with `refused` needs: not waited for, the next try is soon."""
    source = settings.CREDENTIALS.mq
    if source is not None and isinstance(refused, PlainCredentials):
        source.renewed(Login(refused.username, refused.password), patience=0)


def _credentials(user: str | None, password: str | None) -> ExternalCredentials | PlainCredentials:
    """The URL's user, else `username`, else whom the certificate names, else the user RabbitMQ comes with."""
    if user is not None:
        return PlainCredentials(unquote(user), unquote(password or ""))
    if settings.CREDENTIALS.mq is not None:
        try:
            login = settings.CREDENTIALS.mq.current()
        except CredentialsUnavailable as error:
            raise ValueError(str(error)) from None
        return PlainCredentials(login.user, login.password)
    return ExternalCredentials() if settings.CONFIG.mq.client_cert else NOBODY


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
            # With a passphrase, which here is none, an encrypted key is an error and not a question on the terminal.
            context.load_cert_chain(mq.client_cert, mq.client_key, password="")  # nosec: B106 - nobody is there to type one
        except OSError as error:
            files = " with mq.client_key ".join(str(file) for file in (mq.client_cert, mq.client_key) if file)
            raise ValueError(f"mq.client_cert {files}: {error}") from None
    return context
