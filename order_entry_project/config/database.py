"""The order book's database."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, is_local, refuse_certificates
from order_entry_project.config.values import Count, Name, Seconds, Section

_USER = "order_entry"


class Database(Section):
    sql_host: str = Field("127.0.0.1", description="Host name, or the folder of a Unix socket.")
    sql_port: int = Field(5432, ge=1, le=65535, description="Port.")
    sql_database: Name = Field("trading_orders", description="Database.")
    sql_user: Name | None = Field(
        None,
        description=f"User; null: what sql_user_file holds, with Safeguard the account whose password it gives, "
        f"else {_USER}.",
    )
    sql_password: SecretStr | None = Field(None, description="Password, with credentials_source environment.")
    sql_user_file: Path | None = Field(
        None,
        description="File that holds the user, with credentials_source file; read again when it changes.",
    )
    sql_password_file: Path | None = Field(
        None,
        description="File that holds the password, with credentials_source file; read again when it changes.",
    )
    credentials_source: Literal["environment", "file", "safeguard"] = Field(
        "environment",
        description="Where user and password come from: this configuration, files such as Kubernetes mounts, "
        "or Safeguard (section safeguard). The last two may change while the service runs.",
    )
    pool_size: Count = Field(20, description="Most connections of one web process.")
    connection_timeout: Seconds = Field(
        10.0, description="Longest wait for a connection; a worker's own is bounded tighter."
    )
    sslmode: Literal["disable", "require", "verify-full"] | None = Field(
        None,
        description="disable: no TLS. require: TLS with whoever answers, to whom no password is given but by SCRAM, "
        "which does not reveal it. verify-full: TLS with a server whose certificate bears the name sql_host. null: "
        "verify-full where ca_cert or client_cert is set; else require for another host, and on this machine what "
        "the server offers.",
    )
    ca_cert: CaCert = None
    client_cert: ClientCert = None
    client_key: ClientKey = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        source = self.credentials_source
        if source == "file" and self.sql_password_file is None:
            raise ValueError("sql_password_file: expected a file, credentials_source is file")
        if source != "file" and (self.sql_password_file or self.sql_user_file):
            raise ValueError("sql_user_file and sql_password_file go with credentials_source file")
        if source != "environment" and self.sql_password is not None:
            raise ValueError(f"sql_password goes with credentials_source environment, not with {source}")
        if self.sql_user is not None and self.sql_user_file is not None:
            raise ValueError("expected sql_user or sql_user_file, not both")
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Self:
        if self.sql_host.startswith(("/", "@")):
            refuse_certificates(self, unless="a host: the sql_host here is a Unix socket")
        if self.sslmode == "disable":
            refuse_certificates(self, unless="sslmode verify-full")
        if self.sslmode == "require" and self.ca_cert:
            raise ValueError("ca_cert goes with sslmode verify-full: require believes anyone")
        return self

    @property
    def tls_mode(self) -> Literal["disable", "prefer", "require", "verify-full"]:
        """What sslmode comes to; `prefer`: what the server offers."""
        if self.sslmode is not None:
            return self.sslmode
        if self.ca_cert or self.client_cert:
            return "verify-full"
        return "prefer" if is_local(self.sql_host) else "require"

    @property
    def user(self) -> str:
        """The user, where neither a file nor Safeguard names one."""
        return self.sql_user or _USER
