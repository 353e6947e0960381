"""Router calls: whether one may be made, made, timed, logged and traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from orders import documents, tracing
from routing.breaker import State
from routing.decisions import Attempt
from routing.metrics import router_api_latency_ms
from routing.models import Outcome
from routing.policy import Park, Policy, Retry

if TYPE_CHECKING:
    from orders.spans import OpenSpan
    from orders.tracing import Attributes
    from routing.claims import Claimed
    from routing.fleet import Fleet, Target
    from routing.router import Answer, RouterClient

_latency = {outcome: router_api_latency_ms.labels(outcome.value) for outcome in Outcome}
_FAILED = (Outcome.UNREACHABLE, Outcome.UNKNOWN)


class _Call(msgspec.Struct, frozen=True):
    """One under way, begun at `began` (monotonic)."""

    id: str
    work: Claimed
    target: Target
    began: float
    span: OpenSpan | None


class Calls:
    """Each order that is started is answered once, through `on_answer`, on a later turn of the loop."""

    def __init__(
        self,
        router: RouterClient,
        fleet: Fleet,
        *,
        policy: Policy,
        on_answer: Callable[[Attempt], None],
        on_unreachable: Callable[[], None],
    ) -> None:
        self._router = router
        self._fleet = fleet
        self._policy = policy
        self._on_answer = on_answer
        self._on_unreachable = on_unreachable
        self._new_id = _ids().__next__
        self.in_flight = 0

    @property
    def free(self) -> int:
        """Call slots free now."""
        return self._router.free

    @property
    def most_due(self) -> int:
        """How many orders that wait in the book may be tried: one, to see, where the router has been failing."""
        match self._fleet.state(now=time.monotonic()):
            case State.CLOSED:
                return self.free
            case State.HALF_OPEN:
                return 0 if self.in_flight else min(1, self.free)
            case State.OPEN:
                return 0

    def start(self, work: Claimed) -> Park | None:
        """Call for `work`, or say why not."""
        now = time.monotonic()
        if parked := self._policy.before(work, now=now):
            return parked
        if target := self._fleet.choose(now=now, tried=work.tried):
            self._call(work, target, now)
            return None
        if not self._fleet.known:
            return self._policy.later(work, "no router is known: the service registry has not named one")
        wait = self._fleet.wait(now=now)
        return self._policy.later(work, "the router has been failing, calls pause", at_least=wait)

    def after(self, attempt: Attempt) -> Retry | Park:
        """What follows a failed call."""
        elsewhere = self._fleet.has_other(attempt.work.tried)
        return self._policy.after(attempt.work, attempt.answer, now=time.monotonic(), elsewhere=elsewhere)

    def _call(self, work: Claimed, target: Target, now: float) -> None:
        endpoint = target.endpoint
        self.in_flight += 1
        work.tries += 1
        work.request = work.request or documents.router_body(work.core)
        trace = work.trace
        span = (
            tracing.begin("Router Call", trace, _asked(work, endpoint)) if trace and trace.sampled else None
        )
        parent = span or trace
        self._router.post(
            endpoint,
            work.request,
            idempotency_key=work.idempotency_key,
            traceparent=parent.traceparent if parent else None,
            on_answer=partial(self._answered, _Call(self._new_id(), work, target, now, span)),
        )

    def _answered(self, call: _Call, answer: Answer) -> None:
        self.in_flight -= 1
        _latency[answer.outcome].observe(answer.latency_ms)
        call.target.metrics.calls[answer.outcome].inc()
        if answer.outcome in _FAILED:
            call.work.tried = (*call.work.tried, call.target.endpoint)
            self._fleet.failed(call.target, now=time.monotonic())
            if answer.outcome is Outcome.UNREACHABLE:
                self._on_unreachable()
        else:
            self._fleet.succeeded(call.target, now=time.monotonic())
        if call.span:
            call.span.end(_said(answer), error=None if answer.outcome is Outcome.ACCEPTED else _kind(answer))
        self._on_answer(Attempt(call.id, call.work, call.target.endpoint, answer, call.began))


def _ids() -> Iterator[str]:
    """UUIDs of attempts: random in front, once for each process, then a count: a random one each would cost more
    here, and scatter what is written into SQL's index.
    """
    own = uuid4().hex
    for number in count():
        yield f"{own[:8]}-{own[8:12]}-8{own[13:16]}-{own[16:20]}-{number:012x}"


def _asked(work: Claimed, endpoint: str) -> Attributes:
    url = urlsplit(endpoint)
    port = url.port or (443 if url.scheme == "https" else 80)
    resent = {"http.request.resend_count": work.tries - 1} if work.tries > 1 else {}
    return {
        "http.request.method": "POST",
        # Without whatever user it may name.
        "url.full": f"{url.scheme}://{url.hostname}:{port}{url.path}/route",
        "server.address": url.hostname or "",
        "server.port": port,
        **resent,
    }


def _said(answer: Answer) -> Attributes:
    status = {"http.response.status_code": int(answer.http_status)} if answer.http_status else {}
    route = {"order.route": answer.route} if answer.route else {}
    return {"router.outcome": answer.outcome.value, **status, **route}


def _kind(answer: Answer) -> str:
    """As the conventions ask: the status code where there is a bad one, else what went wrong."""
    if answer.http_status and answer.http_status >= HTTPStatus.BAD_REQUEST:
        return str(int(answer.http_status))
    return answer.outcome.value
