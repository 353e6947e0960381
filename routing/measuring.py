"""What is measured of each instance of the router. A label is an instance's host and port, dropped when it is gone."""

from __future__ import annotations

import time

from routing.breaker import Breaker, State
from routing.metrics import router_instance_breaker_open, router_instance_calls
from routing.models import Outcome

OPENNESS = {State.CLOSED: 0.0, State.HALF_OPEN: 0.5, State.OPEN: 1.0}


class InstanceMetrics:
    def __init__(self, endpoint: str, breaker: Breaker) -> None:
        self._label = endpoint.partition("://")[2]
        self.calls = {
            outcome: router_instance_calls.labels(self._label, outcome.value) for outcome in Outcome
        }
        # Asked when metrics are read, not told at every call.
        gauge = router_instance_breaker_open.labels(self._label)
        gauge.set_function(lambda: OPENNESS[breaker.state(now=time.monotonic())])

    def forget(self) -> None:
        router_instance_breaker_open.remove(self._label)
        for outcome in self.calls:
            router_instance_calls.remove(self._label, outcome.value)
