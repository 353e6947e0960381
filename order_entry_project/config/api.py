"""The API and the console: who may, how much, from where."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from order_entry_project.config.values import Count, Seconds, Section
from orders.api.rates import Rate
from orders.scopes import Scope


def _checked(rate: str) -> str:
    Rate.parse(rate)
    return rate


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(ip_network)]
Limit = Annotated[str, AfterValidator(_checked)]
# As an actor it is on record in order_events.
Subject = Annotated[str, Field(min_length=1, max_length=150)]


class Api(Section):
    secret_key: SecretStr | None = Field(
        None, description="Signs sessions; null: a random one per start, which ends all sessions."
    )
    allowed_hosts: list[str] = Field(
        ["127.0.0.1", "localhost", "[::1]"],
        description="Host names the API answers to, beside service.name.",
    )
    https_only: bool = Field(
        default=False, description="Redirect to HTTPS and mark cookies secure (behind a TLS proxy)."
    )
    allow_create: bool = Field(
        default=True,
        description="POST /order takes orders; false: it answers 405, and the OpenAPI document does not name it.",
    )
    anonymous_reads: bool = Field(
        default=True,
        description="GET /order/{orderId}, /docs and /openapi.json are open to all, as the runbook's bare curl "
        "expects; false: they need the scope read.",
    )
    anonymous_metrics: bool = Field(
        default=True, description="/metrics is open to all; false: it needs the scope metrics."
    )
    plain_text_credentials: bool = Field(
        default=False,
        description="Take passwords and tokens over an unencrypted connection from another host, for networks that "
        "encrypt by themselves; false: over https and from this host only.",
    )
    trusted_proxies: list[Network] = Field(
        [],
        description="Networks (CIDR) of the proxies whose X-Forwarded-For, X-Forwarded-Proto and "
        "client_certificate_header are believed; from anyone else these are ignored.",
    )
    client_certificate_header: str | None = Field(
        None,
        description="Header in which a trusted proxy gives the subject of the client certificate it has verified, "
        "such as X-SSL-Client-S-DN. The proxy must overwrite what the client sends there.",
    )
    client_certificates: dict[Subject, list[Scope]] = Field(
        {},
        description="Scopes (read, create, operate, metrics) of each subject, written as the proxy writes it.",
    )
    throttle_anonymous: Limit = Field(
        "6000/min",
        description="Most requests of one address that does not say who it is, and most refused tokens.",
    )
    throttle_authenticated: Limit = Field(
        "60000/min", description="Most requests of one user, token or certificate."
    )
    read_timeout: Seconds = Field(
        10.0, description="Longest time a client may take to send a request, or to take its answer."
    )
    max_body: Count = Field(65_536, description="Largest body of a request, bytes.")

    @field_validator("client_certificate_header")
    @classmethod
    def _is_a_header(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value):
            raise ValueError("expected the name of a header")
        return value

    @model_validator(mode="after")
    def _certificates_have_a_way_in(self) -> Self:
        if bool(self.client_certificates) != bool(self.client_certificate_header):
            raise ValueError("client_certificates and client_certificate_header go together")
        if self.client_certificate_header and not self.trusted_proxies:
            raise ValueError("client_certificate_header goes with trusted_proxies: nobody else is believed")
        return self
