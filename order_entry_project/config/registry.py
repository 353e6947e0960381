"""Where the order router is asked for: a service registry, DNS, or this file."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, refuse_certificates
from order_entry_project.config.values import Name, Seconds, Section
from routing.endpoints import checked_endpoint
from routing.registries.service import MOST_WEIGHT

_SPEAK_HTTP = ("http", "consul", "eureka")
# Which kinds know what to do with a key; all of them with those that are not named here.
_KINDS = {
    "endpoint": _SPEAK_HTTP,
    "path": _SPEAK_HTTP,
    "token": _SPEAK_HTTP,
    "token_file": _SPEAK_HTTP,
    "datacenter": ("consul",),
    "tag": ("consul",),
    "scheme": ("consul", "eureka", "dns"),
    "instances": ("static",),
    "dns_name": ("dns",),
    "nameserver": ("dns",),
}
_DNS_PORT = 53


class StaticInstance(Section):
    endpoint: str = Field(description="URL of a router.")
    weight: int = Field(
        1,
        ge=0,
        le=MOST_WEIGHT,
        description="Its share of the calls; 0: called only while none with a greater weight works.",
    )

    @field_validator("endpoint")
    @classmethod
    def _can_be_called(cls, value: str) -> str:
        return checked_endpoint(value)


class ServiceRegistry(Section):
    kind: Literal["http", "consul", "eureka", "static", "dns"] = Field(
        "http", description="What is asked; static: nobody, the routers stand in `instances`."
    )
    endpoint: str = Field(
        "127.0.0.1:8090", description="host:port, or a URL, of the registry; https:// with TLS."
    )
    lookup_interval: Seconds = Field(300.0, description="How often the router's endpoint is looked up again.")
    router_service: Name = Field("order-router", description="Name the router is registered under.")
    path: str | None = Field(
        None,
        description="Path of a look-up, `{name}` being the service; null: `/services/{name}`, Consul's "
        "`/v1/health/service/{name}`, Eureka's `/eureka/apps/{name}`.",
    )
    token: SecretStr | None = Field(
        None, description="Shown to the registry: Consul's ACL token, to others as Authorization: Bearer."
    )
    token_file: Path | None = Field(
        None, description="File that holds it, in place of token; read again when it changes."
    )
    datacenter: str | None = Field(None, description="Consul's, null: that of the agent which is asked.")
    tag: str | None = Field(None, description="Only instances that are tagged so in Consul.")
    scheme: Literal["http", "https"] | None = Field(
        None,
        description="How the instances of Consul, Eureka and DNS are called; null: https where the router's "
        "certificates are configured or only Eureka's secure port is enabled, else http.",
    )
    instances: list[StaticInstance] = Field(
        [], description='Routers of kind static: `[{"endpoint": "http://router-1:8082", "weight": 2}, …]`.'
    )
    dns_name: str | None = Field(
        None, description="Name of the SRV records of kind dns, such as `_{name}._tcp.trading.internal`."
    )
    nameserver: str | None = Field(
        None, description="Address, or address:port, asked for them; null: as this machine resolves names."
    )
    timeout: Seconds = Field(2.0, description="Longest wait for one answer of the registry.")
    ca_cert: CaCert = None
    client_cert: ClientCert = None
    client_key: ClientKey = None

    @field_validator("endpoint")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        if "@" in value:
            raise ValueError("expected host:port or a URL, without user and password")
        checked_endpoint(value if "://" in value else f"http://{value}")
        return value

    @field_validator("path")
    @classmethod
    def _names_the_service(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("/") or "{name}" not in value):
            raise ValueError("expected a path that begins with / and holds {name}")
        return value

    @field_validator("nameserver")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            _address(value)
        return value

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        defaults = type(self).model_fields
        for key, kinds in _KINDS.items():
            if self.kind not in kinds and getattr(self, key) != defaults[key].default:
                raise ValueError(f"{key} goes with kind {' or '.join(kinds)}, not {self.kind}")
        if self.kind == "static" and not self.instances:
            raise ValueError("instances: expected at least one, kind is static")
        if self.kind == "dns" and not self.dns_name:
            raise ValueError("dns_name: expected the name of SRV records, kind is dns")
        if self.token and self.token_file:
            raise ValueError("expected token or token_file, not both")
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Self:
        if not (self.is_asked_by_http and self.endpoint.startswith("https:")):
            refuse_certificates(self, unless="an https:// endpoint")
        return self

    @property
    def is_asked_by_http(self) -> bool:
        return self.kind in _SPEAK_HTTP

    @property
    def nameserver_address(self) -> tuple[str, int] | None:
        return _address(self.nameserver) if self.nameserver else None


def _address(text: str) -> tuple[str, int]:
    try:
        return str(ip_address(text)), _DNS_PORT
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{text}")
        return str(ip_address(parts.hostname or "")), parts.port or _DNS_PORT
    except ValueError:
        raise ValueError("expected an IP address or address:port, such as 10.0.0.53:53") from None
