"""The key-value stores, and what the status cache asks of its own."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, refuse_certificates
from order_entry_project.config.values import Count, Name, Seconds, Section

_SEED_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})(?::([^\s:]+))?")
_KEY_PATTERN = re.compile(r"[A-Za-z][\w-]{0,62}:.*")


class SeedHost(NamedTuple):
    """A node of an Aerospike cluster; `tls_name` is the name its certificate must bear."""

    host: str
    port: int
    tls_name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host:port` or `host:port:tls-name`. Raises ValueError."""
        match = _SEED_HOST.fullmatch(text)
        if match is None or not 0 < int(match[2]) <= 65535:  # noqa: PLR2004 - ports
            raise ValueError(f"expected host:port or host:port:tls-name, got {text!r}")
        host = match[1].strip("[]")
        return cls(host, int(match[2]), match[3] or host)


class Aerospike(Section):
    """Aerospike; the keys of status documents and how long they live, in any store."""

    seed_hosts: list[str] = Field(
        [],
        description="Nodes to begin with: host:port, or host:port:tls-name where the certificate bears "
        "another name than the host.",
    )
    namespace: Name = Field("orders_ns", max_length=31, description="Namespace of all records.")
    key_pattern: str = Field(
        "orderStatus:{orderId}", description="Key of an order's status document, in whatever store is in use."
    )
    ttl_seconds: Count = Field(
        2_592_000, le=315_360_000, description="Life of a status document, seconds, in any store."
    )
    timeout: Seconds = Field(
        0.5,
        description="Longest wait for one batch; no more than router.timeout and mq.heartbeat / 4 count.",
    )
    client_cert: ClientCert = Field(
        None, description="PEM with certificate and key; setting it turns mutual TLS on."
    )
    client_key: ClientKey = None
    ca_cert: CaCert = Field(
        None, description="CA that signed the nodes' certificates; null: the system's. Turns TLS on."
    )
    replication_factor: Count = Field(
        2, description="Copies of each record the cluster must keep; preflight warns of fewer."
    )

    @field_validator("seed_hosts")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            SeedHost.parse(text)
        return value

    @field_validator("key_pattern")
    @classmethod
    def _names_the_order(cls, value: str) -> str:
        if value.count("{orderId}") != 1 or not _KEY_PATTERN.fullmatch(value):
            raise ValueError(
                "expected a pattern that holds {orderId} once, after a name and a colon: orderStatus:{orderId}"
            )
        return value

    @property
    def hosts(self) -> list[SeedHost]:
        return [SeedHost.parse(text) for text in self.seed_hosts]

    @property
    def tls(self) -> bool:
        return bool(self.client_cert or self.ca_cert)


class Redis(Section):
    """Redis, or what speaks like it."""

    url: str = Field(
        "redis://127.0.0.1:6379",
        repr=False,
        description="`redis://[user:password@]host:port[/database]`; `rediss://` with TLS.",
    )
    username: str | None = Field(None, description="User, where the URL has none.")
    password: SecretStr | None = Field(None, description="Password, where the URL has none.")
    timeout: Seconds = Field(
        0.5,
        description="Longest wait for one batch; no more than router.timeout and mq.heartbeat / 4 count.",
    )
    client_cert: ClientCert = None
    client_key: ClientKey = None
    ca_cert: CaCert = Field(None, description="CA that signed the server, beside the system's.")

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "url: expected redis://host:port or rediss://host:port, and nothing after the database"
            )
        if parts.port == 0 or not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError("url: expected a port and at most the number of a database after the host")
        if parts.scheme == "redis":
            refuse_certificates(self, unless="a rediss:// url")
        return self


StoreName = Literal["aerospike", "redis", "postgresql"]


class Cache(Section):
    """The status cache."""

    store: StoreName | None = Field(
        None,
        description="Store of the status cache; null: aerospike where it has seed_hosts, else postgresql.",
    )
    max_age: Seconds = Field(
        60.0, description="A cached document of a non-final order older than this counts as a miss."
    )
