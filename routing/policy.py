"""What follows a failed call: another one now, later, or a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orders import backoff
from routing.models import Outcome

if TYPE_CHECKING:
    from routing.claims import Claimed
    from routing.router import Answer


@dataclass(slots=True, frozen=True)
class Retry:
    """Call again under the same claim after `wait` seconds."""

    wait: float


@dataclass(slots=True, frozen=True)
class Park:
    """Leave it as PENDING_ROUTE: due again after `due_in` seconds, or for a person to look at (None)."""

    due_in: float | None
    reason: str


@dataclass(slots=True, frozen=True)
class Policy:
    """`timeout`, `base` and `cap` in seconds. The one owner of router retries."""

    timeout: float
    max_retries: int
    honours_idempotency_key: bool
    base: float
    cap: float

    def after(self, work: Claimed, answer: Answer, *, now: float, elsewhere: bool = False) -> Retry | Park:
        """What follows `answer` to a call for `work` at the monotonic time `now`.

        `elsewhere`: another instance can be called, to whom the Retry-After of this one is nothing.
        """
        if answer.outcome is Outcome.REFUSED:
            return Park(None, f"the router refused: {answer.error}")
        if answer.outcome is Outcome.UNKNOWN and not self.honours_idempotency_key:
            return Park(None, f"the router may have received it: {answer.error}")
        asked_for = 0.0 if elsewhere else answer.retry_after or 0.0
        wait = max(backoff.delay(work.tries, base=self.base, cap=self.timeout), asked_for)
        if work.tries <= self.max_retries and self._may_start(work, now=now + wait):
            return Retry(wait)
        if answer.outcome is Outcome.UNKNOWN:
            return Park(None, f"the router may have received it, {work.tries} calls: {answer.error}")
        return self.later(work, f"the router is unreachable: {answer.error}", at_least=asked_for)

    def before(self, work: Claimed, *, now: float) -> Park | None:
        """What keeps a call for `work` from being made now, if anything does."""
        if work.expired and not self.honours_idempotency_key:
            return Park(None, "an earlier call may have been received: its claim ran out")
        if not self._may_start(work, now=now):
            return Park(0.0, "no time was left under the claim")
        return None

    def later(self, work: Claimed, reason: str, *, at_least: float = 0.0) -> Park:
        """Parked with a wait that grows with the attempts already made."""
        rounds = 1 + (work.attempts + work.tries) // (1 + self.max_retries)
        return Park(max(at_least, backoff.delay(rounds, base=1.0, cap=self.cap)), reason)

    def _may_start(self, work: Claimed, *, now: float) -> bool:
        """Whether a call begun at `now` is over before the claim is."""
        return now + self.timeout <= work.deadline
