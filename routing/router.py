"""The router's client: one call per order, many in flight, none repeated here.

Note on what may be known of a call. The router is asked to *do* something, so the one question that matters
of a failed call is whether it may have been done:

- Nothing went out (no address, no connection, no TLS), our certificate was refused, or the router says it
  did nothing (429, 502, 503): UNREACHABLE. Another try is safe.
- Something went out and no whole answer came back (timeout, line dropped, not HTTP, 200 with nonsense whose
  length was not said, so that it may be torn), or the answer leaves it open (500, 504, any other 5xx):
  UNKNOWN. The order may have been routed; only a router that honours the idempotency key may safely be asked
  again.
- Any other answer is one, and names no route (a redirect, which is never followed, 4xx, 200 with nonsense):
  REFUSED.

Note on libcurl's own repeating: when a kept-alive connection drops after it took the request, libcurl sends
it again by itself, if it can read the body again. So the body comes from a function that cannot be rewound,
and an empty body is refused; libcurl then fails with its error 65, which is UNKNOWN here. Connections that
idled longer than `_KEEP_IDLE` are not used again, so that the router seldom closes one under a request.

Note on timeouts: libcurl's own fires even when the answer already lies in the socket because the loop was
held up. The timeout here only marks what is overdue; it is given up after one more pass over the sockets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Annotated, Any

import msgspec
import pycurl

from orders.tls import TlsFiles
from routing.curl_tls import is_refusal, secure
from routing.models import Outcome
from routing.multi import Multi
from routing.reactor import Reactor

MOST_BYTES = 64 * 1024  # of an answer's body
MOST_CHARACTERS = 255  # of a route
_MOST_EXCERPT = 200  # characters of an answer in an error
_KEEP_IDLE = 1  # seconds; common servers keep an idle connection for 2 s (gunicorn) to 75 s (nginx)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_HEADERS = ["Content-Type: application/json", "Accept: application/json", "Expect:"]
_OK = HTTPStatus.OK.value
_DID_NOTHING = frozenset({429, 502, 503})


class Answer(msgspec.Struct, frozen=True):
    """What became of one call.

    `outcome`: ACCEPTED, REFUSED, UNREACHABLE or UNKNOWN, see the module's note.
    `route`: when ACCEPTED; 1 to 255 printable characters.
    `http_status`: where a status line came.
    `error`: one sentence with a bounded excerpt of the answer; empty when ACCEPTED.
    `retry_after`: seconds, as the router asks, from either form of Retry-After.
    """

    outcome: Outcome
    route: str | None
    http_status: int | None
    latency_ms: float
    error: str
    retry_after: float | None


class _Decision(msgspec.Struct):
    route: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]


_decision = msgspec.json.Decoder(_Decision)


@dataclass(slots=True, eq=False)
class _Slot:
    """A libcurl handle, used again and again, and the call it carries."""

    handle: Any
    answer: BytesIO
    url: str = ""
    started: float = 0.0
    on_answer: Callable[[Answer], None] = field(default=lambda _: None)


class RouterClient:
    """Calls `POST {endpoint}/route`, at most `in_flight` at once, each answered within about `timeout` s.

    Lives on the reactor's thread. Make it after forking. Proxies of the environment are not used: the
    registry says where the router is.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        timeout: float,
        in_flight: int,
        tls: TlsFiles = TlsFiles(),  # noqa: B008 - frozen
    ) -> None:
        """`tls`: shown to and demanded of a router at https://; each new connection reads the files anew."""
        self._reactor = reactor
        self._timeout = timeout
        self._timer: Any = None
        self._calls: dict[pycurl.Curl, _Slot] = {}  # oldest first
        self._multi = Multi(reactor, on_done=self._on_done)
        self._free = [_slot(self._multi.handle(), timeout, tls) for _ in range(in_flight)]

    @property
    def free(self) -> int:
        """Call slots free now."""
        return len(self._free)

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def post(
        self,
        endpoint: str,
        body: bytes,
        *,
        idempotency_key: str,
        traceparent: str | None,
        on_answer: Callable[[Answer], None],
    ) -> None:
        """Send `body` (JSON) on the loop's next turn; `on_answer` once, never from within this call.

        A traceparent that is not one is left out, as W3C Trace Context asks.
        Raises `RuntimeError` when no slot is free, `ValueError` for a key that cannot be a header's value
        (1 to 255 visible ASCII characters) or an empty body.
        """
        if not self._free:
            raise RuntimeError("no call slot is free: look at `free` before posting")
        if not body:
            raise ValueError("the body is empty; expected the order as JSON")
        headers = _headers(idempotency_key, traceparent)
        url = f"{endpoint}/route"
        slot = self._free[-1]
        if slot.url != url:
            slot = self._last_of(url)
        _load(slot, url, body, headers)
        slot.on_answer = on_answer
        slot.started = time.monotonic()
        self._multi.add(slot.handle)
        self._calls[self._free.pop().handle] = slot
        if self._timer is None:
            self._timer = self._reactor.call_later(self._timeout, self._on_timer)

    def _last_of(self, url: str) -> _Slot:
        """The next free slot, one that has been there last: it may have a connection."""
        free = self._free
        index = next((i for i in range(len(free) - 1, -1, -1) if free[i].url == url), 0)
        free.append(free.pop(index))
        return free[-1]

    def close(self) -> None:
        """End what is in flight without calling back, and close all connections."""
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
        for handle in self._calls:
            self._multi.abort(handle)
        self._multi.close()
        for handle in [*self._calls, *(slot.handle for slot in self._free)]:
            handle.close()
        self._calls.clear()
        self._free.clear()

    def _on_done(self, handle: pycurl.Curl, code: int, message: str) -> None:
        if slot := self._calls.pop(handle, None):  # else close() came first, from another call's on_answer
            self._finish(slot, code, message)

    def _on_timer(self) -> None:
        """Mark what is overdue now, to be given up after the pass over the sockets that comes next."""
        latest = time.monotonic() - self._timeout
        self._timer = self._reactor.call_later(0, lambda: self._give_up(latest))

    def _give_up(self, latest: float) -> None:
        self._timer = None
        for slot in [slot for slot in self._calls.values() if slot.started <= latest]:
            if self._calls.pop(slot.handle, None) is None:
                return  # close() came first, from another call's on_answer
            self._multi.abort(slot.handle)
            self._finish(slot, pycurl.E_OPERATION_TIMEDOUT, f"no answer within {self._timeout:g} s")
        if self._calls and self._timer is None:
            oldest = next(iter(self._calls.values()))
            wait = oldest.started + self._timeout - time.monotonic()
            self._timer = self._reactor.call_later(max(0.0, wait), self._on_timer)

    def _finish(self, slot: _Slot, code: int, message: str) -> None:
        latency_ms = (time.monotonic() - slot.started) * 1000
        if code in (pycurl.E_OK, pycurl.E_FILESIZE_EXCEEDED):
            answer = _judge(slot, latency_ms, whole=code == pycurl.E_OK)
        else:
            answer = _failure(slot, message, latency_ms)
        self._free.append(slot)
        slot.on_answer(answer)


def _slot(handle: pycurl.Curl, timeout: float, tls: TlsFiles) -> _Slot:
    answer = BytesIO()
    handle.setopt(pycurl.POST, 1)
    handle.setopt(pycurl.WRITEFUNCTION, answer.write)
    handle.setopt(pycurl.MAXFILESIZE, MOST_BYTES)
    handle.setopt(pycurl.MAXAGE_CONN, _KEEP_IDLE)
    handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(timeout * 1000)))
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)  # 2 has repeats of its own
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    handle.setopt(pycurl.FOLLOWLOCATION, 0)
    handle.setopt(pycurl.PROXY, "")
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.USERAGENT, "order-entry")
    secure(handle, tls)
    return _Slot(handle=handle, answer=answer)


def _headers(idempotency_key: str, traceparent: str | None) -> list[str]:
    if not _KEY.fullmatch(idempotency_key):
        raise ValueError(f"expected a key of 1 to 255 visible ASCII characters, got {idempotency_key!r:.300}")
    headers = [*_HEADERS, f"Idempotency-Key: {idempotency_key}"]
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        headers.append(f"traceparent: {traceparent}")
    return headers


def _load(slot: _Slot, url: str, body: bytes, headers: list[str]) -> None:
    if url != slot.url:
        slot.handle.setopt(pycurl.URL, url)
        slot.url = url
    slot.answer.seek(0)
    slot.answer.truncate()
    slot.handle.setopt(pycurl.READFUNCTION, BytesIO(body).read)
    slot.handle.setopt(pycurl.POSTFIELDSIZE, len(body))
    slot.handle.setopt(pycurl.HTTPHEADER, headers)


def _judge(slot: _Slot, latency_ms: float, *, whole: bool) -> Answer:
    """An answer, judged by the module's note; not `whole` where it is longer than any good one."""
    status = slot.handle.getinfo(pycurl.RESPONSE_CODE)
    body = slot.answer.getvalue()
    if status == _OK:
        return _judge_route(slot, body, latency_ms, whole=whole)
    error = f"The router answered {status}: {_excerpt(body)}"
    retry_after = float(slot.handle.getinfo(pycurl.RETRY_AFTER)) or None
    if status in _DID_NOTHING:
        outcome = Outcome.UNREACHABLE
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        outcome = Outcome.UNKNOWN
    else:
        outcome = Outcome.REFUSED
    return Answer(outcome, None, status, latency_ms, error, retry_after)


def _judge_route(slot: _Slot, body: bytes, latency_ms: float, *, whole: bool) -> Answer:
    try:
        route = _decision.decode(body).route if whole else ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        wrong = str(fault)
    else:
        if route.isprintable() and route.strip():
            return Answer(Outcome.ACCEPTED, route, _OK, latency_ms, "", None)
        wrong = "`route` is not printable" if whole else f"more than {MOST_BYTES} bytes"
    error = f"The router answered 200 without a usable route ({wrong}): {_excerpt(body)}"
    torn = whole and slot.handle.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T) < 0
    outcome = Outcome.UNKNOWN if torn else Outcome.REFUSED
    return Answer(outcome, None, _OK, latency_ms, error, None)


def _failure(slot: _Slot, message: str, latency_ms: float) -> Answer:
    """No whole answer: judged by whether anything of the request went out."""
    status = slot.handle.getinfo(pycurl.RESPONSE_CODE) or None
    said = _excerpt(message.encode(errors="replace"))
    if slot.handle.getinfo(pycurl.REQUEST_SIZE) == 0 or is_refusal(message):
        error = f"The router could not be reached: {said}"
        return Answer(Outcome.UNREACHABLE, None, status, latency_ms, error, None)
    error = f"The request went out and no whole answer came back: {said}"
    return Answer(Outcome.UNKNOWN, None, status, latency_ms, error, None)


def _excerpt(text: bytes) -> str:
    """The beginning of what came, on one line, in characters that can be stored and shown."""
    shown = text[:_MOST_EXCERPT].decode(errors="replace")
    shown = "".join(c if c.isprintable() else " " for c in shown).strip()
    return (shown or "(nothing)") + ("…" if len(text) > _MOST_EXCERPT else "")
