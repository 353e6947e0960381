"""An order's place in a trace: what its spans, its log lines and its messages are joined by.

Note on sampling: it is decided once for each order, before any span exists, so that an order nobody looks at costs
next to nothing. An order follows the decision of whoever sent it, the flag of its `traceparent`; one that comes
without is drawn with `telemetry.sampling_ratio`. Whatever routes the order later, here or in another process,
follows the same decision: the trace context is kept with the order.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from orders.spans import OpenSpan, Spans

Attributes = Mapping[str, str | int | float]

_is_traceparent = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
_SAMPLED = 1


@dataclass(slots=True, eq=False)
class Trace:
    """`traceparent`: the context that whatever becomes of the order belongs to; `ids`: orderId and messageId.

    `span`: of the message that brought it, until that is done with.
    """

    traceparent: str
    ids: dict[str, str] = field(default_factory=dict)
    span: OpenSpan | None = None

    @property
    def trace_id(self) -> str:
        return self.traceparent[3:35]

    @property
    def sampled(self) -> bool:
        return bool(int(self.traceparent[-2:], 16) & _SAMPLED)

    def finish(self, outcome: str, *, error: str | None = None) -> None:
        """The message is done with, whatever came of it."""
        if self.span:
            self.span.end({"order.outcome": outcome}, error=error)
            self.span = None


@dataclass(slots=True)
class _Use:
    """`spans` None: none are made."""

    spans: Spans | None = None
    ratio: float = 0.0
    flush: Callable[[], None] = lambda: None


_use = _Use()


def use(tracer: Tracer, ratio: float, flush: Callable[[], None]) -> None:
    """Make spans with `tracer`, which is to sample whatever it is asked for; `flush` sends what is left, in bounds."""
    from orders.spans import Spans

    _use.spans, _use.ratio, _use.flush = Spans(tracer), ratio, flush


def flush() -> None:
    """Send what has been recorded; called by a process at its end."""
    _use.flush()


def arrived(traceparent: object, *, name: str, at: float) -> Trace | None:
    """The trace of a message that came `at` (monotonic) with this header, its span begun; None where there is none.

    A header that is not a W3C trace context counts as none.
    """
    trace = _trace(traceparent)
    if _use.spans and (trace.sampled if trace else random.random() < _use.ratio):  # noqa: S311 - no secret
        span = _use.spans.root(name, trace.traceparent if trace else None, at)
        return Trace(span.traceparent, span=span)
    return trace


def resumed(traceparent: str | None, *, order_id: str, message_id: str) -> Trace | None:
    """The trace of an order that is taken out of the book."""
    if trace := _trace(traceparent):
        trace.ids = {"orderId": order_id, "messageId": message_id}
    return trace


def followed(traceparent: str | None) -> str | None:
    """The header, None where it is not a W3C trace context."""
    return traceparent if _trace(traceparent) else None


def record(
    name: str,
    traces: Iterable[Trace | None],
    began: float,
    attributes: Attributes,
    *,
    error: str | None = None,
) -> None:
    """A span for each sampled order of a batch that was worked on from `began` (monotonic) until now."""
    if _use.spans is None:
        return
    sampled = [trace for trace in traces if trace and trace.sampled]
    if sampled:
        _use.spans.batch(name, sampled, began, time.monotonic(), attributes, error=error)


@contextmanager
def sql_write(statement: str, traces: Sequence[Trace | None]) -> Iterator[None]:
    """A statement that writes these orders."""
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": statement,
        "db.operation.batch.size": len(traces),
    }
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        record("SQL Write", traces, began, attributes, error=type(error).__name__)
        raise
    record("SQL Write", traces, began, attributes)


def begin(name: str, trace: Trace | None, attributes: Attributes, *, sends: bool = False) -> OpenSpan | None:
    """A span for something asked of another service, None where the order is not sampled.

    `sends`: a message is sent, else a call is made.
    """
    if _use.spans is None or trace is None or not trace.sampled:
        return None
    return _use.spans.outgoing(name, trace, attributes, sends=sends)


def _trace(traceparent: object) -> Trace | None:
    return Trace(traceparent) if isinstance(traceparent, str) and _is_traceparent(traceparent) else None
