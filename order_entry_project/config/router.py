"""The order router."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey
from order_entry_project.config.values import Count, Seconds, Section


class Router(Section):
    timeout: Seconds = Field(2.0, description="Longest wait for one answer of the router.")
    max_retries: int = Field(3, ge=0, le=10, description="Calls repeated after the first, within one claim.")
    in_flight: int = Field(64, ge=1, le=10_000, description="Router calls under way at once, per process.")
    honours_idempotency_key: bool = Field(
        default=True,
        description="The router treats a repeated Idempotency-Key as the same request, whichever of its instances "
        "it comes to; false: a call that may have been received is never repeated by the machine.",
    )
    breaker: Count = Field(
        10, description="Failed calls in a row after which no more are made for a while: orders are parked."
    )
    claim: Seconds = Field(30.0, description="How long a process holds an order it is routing.")
    backoff: Seconds = Field(0.1, description="Wait before the first retry; doubles, with jitter.")
    max_backoff: Seconds = Field(300.0, description="Longest wait of a parked order between two routings.")
    retry_interval: Seconds = Field(
        300.0, description="How often `retry_pending_routes --daemon` looks for orders that are due."
    )
    ca_cert: CaCert = Field(
        None,
        description="CA that signed the router's certificate; null: the system's. With this or client_cert the router "
        "is called by https only, whatever the registry says.",
    )
    client_cert: ClientCert = None
    client_key: ClientKey = None

    @model_validator(mode="after")
    def _claim_outlives_a_call(self) -> Self:
        if self.claim < 2 * self.timeout:
            raise ValueError(f"claim ({self.claim:g}s) must be at least twice timeout ({self.timeout:g}s)")
        return self

    @property
    def https_only(self) -> bool:
        return bool(self.ca_cert or self.client_cert)
