"""The key-value stores: status cache, idempotency marks, offsets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from consumers.token import KEY_ID, SMALLEST_KEY
from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, refuse_certificates
from order_entry_project.config.values import Count, Name, Seconds, Section, as_seconds

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
    store: StoreName | None = Field(
        None,
        description="Store of the status cache; null: aerospike where it has seed_hosts, else postgresql.",
    )
    max_age: Seconds = Field(
        60.0, description="A cached document of a non-final order older than this counts as a miss."
    )


def _strong(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if len(key.encode()) < SMALLEST_KEY:
        raise ValueError(
            f"expected a key of at least {SMALLEST_KEY} bytes, as `openssl rand -hex {SMALLEST_KEY}` makes"
        )
    if key.strip() != key:
        raise ValueError("expected a key without white space around it")
    return value


KeyId = Annotated[str, Field(pattern=f"^{KEY_ID}$")]
TokenKey = Annotated[SecretStr, AfterValidator(_strong)]


class Idempotency(Section):
    store: StoreName | None = Field(None, description="Store of the idempotency marks; null: the cache's.")
    ttl: Annotated[int, BeforeValidator(as_seconds), Field(ge=1, le=315_360_000)] = Field(
        86_400, description="Life of a mark, seconds."
    )
    epoch: int = Field(
        1, ge=1, description="Part of each mark's key: raise it after restoring SQL from a backup."
    )
    require_token: bool = Field(
        default=False,
        description="Quarantine messages without x-idempotency-token; false: it is checked where there is one.",
    )
    max_message_age: Seconds | None = Field(
        None,
        description="Age by its token at which a message is quarantined, unless its order is in the book already; "
        "null: none.",
    )
    token_keys: dict[KeyId, TokenKey] = Field(
        {},
        description="Key id → key of the tokens on messages, text of at least 32 bytes; several while they rotate. "
        "A variable holds them as JSON and adds to those of the file.",
    )
    credentials_source: Literal["environment", "file", "safeguard"] = Field(
        "environment",
        description="Where token keys come from: this configuration, token_keys_file, or Safeguard "
        "(safeguard.token_api_key). The last two may change while the service runs.",
    )
    token_keys_file: Path | None = Field(
        None, description="File that holds token_keys as JSON; read again when it changes."
    )
    signing_key: KeyId | None = Field(
        None, description="Id of the token key this service signs with; null: the only one."
    )

    @model_validator(mode="after")
    def _keys_have_one_source(self) -> Self:
        if (self.credentials_source == "file") != (self.token_keys_file is not None):
            raise ValueError("token_keys_file: expected a file with credentials_source file, and only then")
        if self.credentials_source != "environment" and self.token_keys:
            raise ValueError("token_keys go with credentials_source environment")
        return self

    @model_validator(mode="after")
    def _keys_fit_what_is_asked(self) -> Self:
        if self.credentials_source != "environment":
            return self
        keys = self.token_keys
        for name in ("require_token", "max_message_age", "signing_key"):
            if getattr(self, name) and not keys:
                raise ValueError(f"{name} goes with token_keys: without a key no token can be verified")
        if len({key.get_secret_value() for key in keys.values()}) < len(keys):
            raise ValueError("token_keys: expected a different key for each id")
        if len(keys) > 1 and self.signing_key is None:
            raise ValueError(f"signing_key: expected which of several token_keys signs: {', '.join(keys)}")
        if self.signing_key and self.signing_key not in keys:
            raise ValueError(f"signing_key is {self.signing_key}; expected one of {', '.join(keys)}")
        return self
