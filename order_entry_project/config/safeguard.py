"""One Identity Safeguard: the vault that gives passwords to applications (A2A)."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey
from order_entry_project.config.values import Seconds, Section


class Safeguard(Section):
    host: str | None = Field(None, description="Host of the appliance, or host:port.")
    client_cert: ClientCert = Field(
        None, description="PEM with certificate and key of this application's certificate user."
    )
    client_key: ClientKey = None
    ca_cert: CaCert = None
    api_version: str = Field("v4", pattern=r"^v[0-9]{1,2}$", description="Version of its API.")
    sql_api_key: SecretStr | None = Field(
        None, description="A2A API key of the database account, with database.credentials_source safeguard."
    )
    mq_api_key: SecretStr | None = Field(
        None,
        description="A2A API key of the broker account, whose user is mq.username; null: mq.password holds.",
    )
    token_api_key: SecretStr | None = Field(
        None,
        description="A2A API key of an account whose password is a JSON object like idempotency.token_keys, with "
        "idempotency.credentials_source safeguard.",
    )
    timeout: Seconds = Field(3.0, le=30, description="Longest wait for one answer.")
    refresh_interval: Seconds = Field(
        300.0, description="How often each process asks for each secret anew, a fifth earlier or later."
    )

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(f"//{value}")
            if parts.netloc != value or not parts.hostname or "@" in value or parts.port == 0:
                raise ValueError("expected a host, or host:port")
        return value
