"""What this service shows of itself: metrics and traces."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, is_local, refuse_certificates
from order_entry_project.config.values import Seconds, Section

_TRACES_PATH = "/v1/traces"


class Telemetry(Section):
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port on which consume_orders serves /metrics and /health/ready for all its processes; "
        "null: it does not. The API has its own /metrics.",
    )
    otlp_endpoint: str | None = Field(
        None,
        description="URL of the collector that traces are sent to, by OTLP over HTTP with protobuf; /v1/traces is "
        "added where it has no path. null: no traces are made.",
    )
    otlp_headers: dict[str, SecretStr] = Field(
        {},
        description="Headers the collector asks for, such as authorization. From the environment: "
        "ORDER_ENTRY__TELEMETRY__OTLP_HEADERS__AUTHORIZATION.",
    )
    otlp_timeout: Seconds = Field(
        5.0, le=60, description="How long a batch of spans is tried before it is lost."
    )
    ca_cert: CaCert = None
    client_cert: ClientCert = None
    client_key: ClientKey = None
    sampling_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the traces that begin here which are sent; what comes with a traceparent follows that.",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        # A port that is no number raises here.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("expected a URL such as http://collector:4318")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("expected a URL without user, query or fragment: secrets go into otlp_headers")
        return value

    @field_validator("otlp_headers")
    @classmethod
    def _are_headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            text = secret.get_secret_value()
            if not name.replace("-", "").isalnum() or not (name + text).isascii() or not text.isprintable():
                raise ValueError("expected names of letters, digits and hyphens, and printable ASCII values")
        return value

    @model_validator(mode="after")
    def _headers_are_not_overheard(self) -> Self:
        if self.otlp_headers and self.otlp_endpoint and not _is_private(self.otlp_endpoint):
            raise ValueError("otlp_headers go with an https:// otlp_endpoint, or with one on this machine")
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Self:
        if self.otlp_endpoint and urlsplit(self.otlp_endpoint).scheme != "https":
            refuse_certificates(self, unless="an https:// otlp_endpoint")
        return self

    @property
    def traces_url(self) -> str:
        """Where spans are posted. Only where there is an otlp_endpoint."""
        endpoint = self.otlp_endpoint or ""
        return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _TRACES_PATH


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_local(parts.hostname or "")
