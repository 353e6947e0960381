"""This service itself: what it is called, how many processes it has, how long these may take."""

from __future__ import annotations

from pydantic import Field

from order_entry_project.config.values import Count, Name, Seconds, Section


class Service(Section):
    name: Name = Field("order-entry", description="Names this service in logs, queues and host checks.")
    port: int = Field(8081, ge=1, le=65535, description="Port of the API and the console.")
    bind: str | None = Field(
        None, description="Address they listen on; null: 127.0.0.1 with the embedded queue, else all of them."
    )
    replicas: Count = Field(
        1,
        description="Informational: how many instances the deployment runs; preflight counts their connections.",
    )
    processes: Count = Field(1, description="Consumer processes in one `consume_orders`.")
    rate_limit: Count = Field(
        10_000,
        description="Most orders a second of one instance: its workers take no more from the queue, and what is more "
        "of POST /order is answered 429.",
    )
    drain_timeout: Seconds = Field(
        25.0, description="How long a stopping worker may finish what is in flight."
    )
    hang_timeout: Seconds = Field(
        30.0, description="Silence of a worker's loop after which its supervisor kills and restarts it."
    )
    certificate_warning: Seconds = Field(
        21 * 86_400.0,
        description="How long before a certificate ends health checks and preflight begin to warn of it.",
    )
    plain_text_credentials: bool = Field(
        default=False,
        description="Log in to broker, database and Redis on other hosts over unencrypted connections, for networks "
        "that encrypt by themselves; false: a configuration with such a password is refused.",
    )
