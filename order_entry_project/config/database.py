"""The order book's database."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from order_entry_project.config.values import Count, Name, Seconds, Section


class Database(Section):
    sql_host: str = Field("127.0.0.1", description="Host name, or the folder of a Unix socket.")
    sql_port: int = Field(5432, ge=1, le=65535, description="Port.")
    sql_database: Name = Field("trading_orders", description="Database.")
    sql_user: Name = Field("order_entry", description="User.")
    sql_password: SecretStr | None = Field(None, description="Password, with credentials_source environment.")
    credentials_source: Literal["environment", "safeguard"] = Field(
        "environment", description="Where user and password come from: this configuration, or Safeguard."
    )
    pool_size: Count = Field(20, description="Most connections of one web process.")
    connection_timeout: Seconds = Field(
        10.0, description="Longest wait for a connection; a worker's own is bounded tighter."
    )
