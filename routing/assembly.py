"""The parts of routing, put together as the configuration says: for the consumer and for the retry command."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings

from orders.tls import TlsFiles
from routing.breaker import Breaker
from routing.discovery import Discovery
from routing.dispatch import Dispatcher
from routing.fleet import Fleet
from routing.limits import Limits
from routing.measuring import OPENNESS
from routing.metrics import router_breaker_open, router_calls_in_flight
from routing.policy import Policy
from routing.registry import Registry
from routing.router import RouterClient
from routing.screening import Screening
from routing.settled import Settled

if TYPE_CHECKING:
    from routing.lane import Lane
    from routing.reactor import Reactor
    from routing.sql_gate import SqlGate

# Between two probes of a router that keeps failing, seconds.
_LONGEST_PAUSE = 30.0


class Routing:
    """The dispatcher with its router client and the instances that the registry names."""

    def __init__(
        self,
        reactor: Reactor,
        lane: Lane,
        gate: SqlGate,
        *,
        publish_in: float | None,
        actor: str,
        on_settled: Callable[[list[Settled]], None],
        on_ready: Callable[[], None],
        passed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_ready`: called once, when the registry has answered or failed for the first time."""
        router, registry = settings.CONFIG.router, settings.CONFIG.service_registry
        limits = Limits(**settings.CONFIG.limits.model_dump())
        self._client = RouterClient(
            reactor, timeout=router.timeout, in_flight=router.in_flight, tls=TlsFiles.of(router)
        )
        fleet = Fleet(lambda: Breaker(failures=router.breaker, base=1.0, cap=_LONGEST_PAUSE))
        self.discovery = Discovery(
            reactor,
            Registry.from_settings(),
            registry.router_service,
            interval=registry.lookup_interval,
            on_change=lambda service: fleet.update(service.instances, now=time.monotonic()),
            on_first_outcome=on_ready,
        )
        # Asked when metrics are read, not told at every call.
        router_calls_in_flight.set_function(lambda: self._client.in_flight)
        router_breaker_open.set_function(lambda: OPENNESS[fleet.state(now=time.monotonic())])
        self.dispatcher = Dispatcher(
            reactor,
            lane,
            gate,
            self._client,
            fleet,
            policy=Policy(
                timeout=router.timeout,
                max_retries=router.max_retries,
                honours_idempotency_key=router.honours_idempotency_key,
                base=router.backoff,
                cap=router.max_backoff,
            ),
            publish_in=publish_in,
            actor=actor,
            on_settled=on_settled,
            passed=passed,
            on_unreachable=self.discovery.refresh_soon,
            screening=Screening(lane.sql, limits) if limits.any else None,
        )

    def start(self) -> None:
        self.discovery.start()

    def close(self) -> None:
        self.discovery.stop()
        self._client.close()
        self.dispatcher.log_calls()
