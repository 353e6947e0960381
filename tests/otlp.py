"""A collector of traces: what OTLP over HTTP brings is kept, and outages can be had."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

T = TypeVar("T")
_PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str


@dataclass(frozen=True)
class Span:
    """Ids in hexadecimal, `parent_id` empty for a root; `kind` and `status` as in the protocol, without prefixes.

    `start` and `end`: nanoseconds since 1970. `resource`: attributes of who made it, `scope`: what made it.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    status: str
    message: str
    attributes: Mapping[str, Any]
    events: list[tuple[str, Mapping[str, Any]]]
    links: list[Link]
    resource: Mapping[str, Any]
    scope: str

    @property
    def traceparent(self) -> str:
        """What the span hands on, where its trace began elsewhere with flags 01."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def ids(self) -> tuple[str, str]:
        return self.trace_id, self.span_id


@dataclass
class Collector:
    """Takes spans at `url` until told otherwise.

    `posts`: requests that came, `headers`: of the last of them, names in lower case.
    """

    posts: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    _port: int = 0
    _spans: list[Span] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _released: threading.Event = field(default_factory=threading.Event)
    _answer: tuple[int, Mapping[str, str]] = (200, {})
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def spans(self) -> list[Span]:
        """All that has come, in the order it came."""
        with self._changed:
            return list(self._spans)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans() if span.name == name]

    def wait_for(self, condition: Callable[[list[Span]], T], *, what: str, patience: float = 15) -> T:
        """The first true value of `condition`, asked whenever spans have come."""
        found: list[T] = []

        def is_so() -> bool:
            found[:] = [condition(list(self._spans))]
            return bool(found[0])

        with self._changed:
            if not self._changed.wait_for(is_so, patience):
                came = ", ".join(sorted({span.name for span in self._spans})) or "none"
                raise AssertionError(f"not within {patience:g} s: {what}; spans that came: {came}")
        return found[0]

    def wait_for_posts(self, count: int, *, patience: float = 15) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.posts >= count, patience), f"{self.posts} posts came"

    # Dials

    def work(self) -> None:
        """Take what comes, again."""
        self._released.set()
        self._answer = (200, {})
        if self._server is None:
            self._listen()

    def refuse(self) -> None:
        """Nobody listens."""
        self._released.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hang(self) -> None:
        """Requests are read and get no answer."""
        self._released.clear()

    def answer(self, status: int, **headers: str) -> None:
        """Every request gets this; underscores of header names are hyphens."""
        self._answer = (status, {name.replace("_", "-"): value for name, value in headers.items()})

    # Serving

    def received(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
        """What to answer to a request."""
        with self._changed:
            self.posts += 1
            self.headers = headers
            self._changed.notify_all()
        self._released.wait()
        status, more = self._answer
        if headers["content-type"] != _PROTOBUF:
            return 415, {}
        if status == 200:
            message = ExportTraceServiceRequest.FromString(body)
            with self._changed:
                self._spans += _spans(message)
                self._changed.notify_all()
        return status, more

    def _listen(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, headers = (
                    collector.received({name.lower(): value for name, value in self.headers.items()}, body)
                    if self.path == "/v1/traces"
                    else (404, {})
                )
                content = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                for name, value in {
                    "Content-Type": _PROTOBUF,
                    "Content-Length": str(len(content)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *client: Any) -> None:
        """Who asked may have gone: it had waited long enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*client)


@contextmanager
def collector() -> Iterator[Collector]:
    """A running one."""
    made = Collector()
    made.work()
    try:
        yield made
    finally:
        made.refuse()


def _spans(message: ExportTraceServiceRequest) -> Iterator[Span]:
    for of_resource in message.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _span(span, resource, of_scope.scope.name)


def _span(span: trace_pb2.Span, resource: Mapping[str, Any], scope: str) -> Span:
    return Span(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        message=span.status.message,
        attributes=_attributes(span.attributes),
        events=[(event.name, _attributes(event.attributes)) for event in span.events],
        links=[Link(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        resource=resource,
        scope=scope,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
