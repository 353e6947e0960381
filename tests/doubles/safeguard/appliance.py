"""What an appliance knows, and the server that answers for it, in this process."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Self
from uuid import uuid4

import trustme

from tests.doubles.safeguard.api import Api


@dataclass
class Account:
    """A retrievable account: who shows the certificate with `thumbprint` and the API key gets its password."""

    name: str
    password: str
    thumbprint: str
    api_key: str = field(default_factory=lambda: uuid4().hex)


class _Server(ThreadingHTTPServer):
    """TLS is shaken hands on in each connection's own thread, so that one that hangs holds up no other."""

    daemon_threads = True
    block_on_close = False
    appliance: Appliance

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        if self.appliance.hangs_at == "handshake":
            self.appliance.released.wait()
            return
        with self.appliance.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up, or whose certificate is not ours, are what tests are made of."""


class Appliance:
    """`asked`: the API key of each question for a password; `paths`: of each request.

    Dials, for all requests from now on: `delay` (seconds before an answer), `hangs_at` ("handshake" or "answer"),
    `drips` (seconds between the bytes of an answer), `wrong` (status and body of whatever is asked for a password).
    """

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca_cert = folder / "safeguard-ca.pem"
        self.authority.cert_pem.write_to_path(self.ca_cert)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(self.tls)
        self.authority.configure_trust(self.tls)
        # Certificates are for A2A and the log-in; the rest is asked without, as the library does.
        self.tls.verify_mode = ssl.CERT_OPTIONAL
        self.client_cert = folder / "safeguard-client.pem"
        self.thumbprint = self.issue_client(self.client_cert)
        self.accounts: list[Account] = []
        self.tokens: dict[str, str] = {}  # of users logged in: token → thumbprint
        self.asked: list[str] = []
        self.paths: list[str] = []
        self.delay = 0.0
        self.drips = 0.0
        self.hangs_at = ""
        self.wrong: tuple[int, bytes] | None = None
        self.released = threading.Event()
        self._port = 0
        self._server: _Server | None = None

    @property
    def host(self) -> str:
        return f"localhost:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """What makes a process ask it for the first account."""
        return {
            "ORDER_ENTRY__DATABASE__CREDENTIALS_SOURCE": "safeguard",
            "ORDER_ENTRY__SAFEGUARD__HOST": self.host,
            "ORDER_ENTRY__SAFEGUARD__CLIENT_CERT": str(self.client_cert),
            "ORDER_ENTRY__SAFEGUARD__CA_CERT": str(self.ca_cert),
            "ORDER_ENTRY__SAFEGUARD__SQL_API_KEY": self.accounts[0].api_key,
        }

    def issue_client(self, path: Path) -> str:
        """A certificate of its authority, with its key, into `path`; its thumbprint, which names its user here."""
        made = self.authority.issue_cert("order-entry@safeguard.test")
        made.private_key_and_cert_chain_pem.write_to_path(path)
        certificate = ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())
        return sha1(certificate, usedforsecurity=False).hexdigest().upper()

    def add(self, name: str, password: str) -> Account:
        account = Account(name, password, self.thumbprint)
        self.accounts.append(account)
        return account

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._stop()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Nothing listens on its port."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), Api)
        self._server.appliance = self
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
