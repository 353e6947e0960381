"""Which traces begin here; what has a parent follows that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


class Roots(TraceIdRatioBased):
    """A share of them.

    `only_requests`, in a web process: a statement or a look-up that belongs to no request serves a probe or the
    connection pool, and is not traced.
    """

    only_requests: ClassVar[bool] = False

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if self.only_requests and kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return super().should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
