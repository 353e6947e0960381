"""`GET /health`: whether the neighbours answer. However many probes come, each is asked once a second."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from health_check.base import HealthCheck
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from consumers.instance import certificate_watch
from order_entry_project import neighbours

logger = logging.getLogger(__name__)

# Seconds. An answer younger than FRESH is given again; while one probe asks anew, the others get the last
# answer, unless that is older than STALE.
FRESH = 1.0
STALE = 5.0
# Without these the service cannot do its work; without the others it does it more slowly.
VITAL = frozenset({"mq", "sql"})


class Health:
    """The states of `checks`, by component.

    Each check has a thread of its own: one that hangs counts as down after its timeout, holds up no other,
    and is not started again before it has ended.
    """

    def __init__(self, checks: Mapping[str, HealthCheck]) -> None:
        self._checks = checks
        self._threads = {name: ThreadPoolExecutor(1, f"health-{name}") for name in checks}
        self._states: dict[str, bool] = {}
        self._asked_at = -STALE
        self._asking = threading.Lock()

    def states(self) -> dict[str, bool]:
        """Whether each component is up."""
        age = time.monotonic() - self._asked_at
        if age >= FRESH and self._asking.acquire(blocking=age >= STALE):
            try:
                if time.monotonic() - self._asked_at >= FRESH:
                    self._states = asyncio.run(self._ask())
                    certificate_watch.remind(within=settings.CONFIG.service.certificate_warning)
                    self._asked_at = time.monotonic()
            finally:
                self._asking.release()
        return self._states

    async def _ask(self) -> dict[str, bool]:
        results = await asyncio.gather(
            *(check.get_result(self._threads[name]) for name, check in self._checks.items())
        )
        for name, result in zip(self._checks, results, strict=True):
            if (result.error is None) != self._states.get(name, True):
                logger.warning("%s is %s", name, f"down: {result.error}" if result.error else "up again")
        return {name: result.error is None for name, result in zip(self._checks, results, strict=True)}


def overall(states: Mapping[str, bool]) -> str:
    """UP, DEGRADED or DOWN."""
    down = {name for name, up in states.items() if not up}
    if down & VITAL:
        return "DOWN"
    return "DEGRADED" if down else "UP"


def _answer(states: Mapping[str, bool], *, components: bool) -> JsonResponse:
    status = overall(states)
    document: dict[str, Any] = {"status": status}
    if components:
        document["components"] = {name: "UP" if up else "DOWN" for name, up in states.items()}
    code = HTTPStatus.SERVICE_UNAVAILABLE if status == "DOWN" else HTTPStatus.OK
    return JsonResponse(document, status=code)


class AnswerWhateverIsAccepted(BaseContentNegotiation):
    """A probe that says it accepts something else gets its answer all the same."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        del request
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        del request, format_suffix
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


@method_decorator(never_cache, "dispatch")
class _Probe(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = AnswerWhateverIsAccepted


class HealthView(_Probe):
    """UP; DEGRADED without cache or registry; DOWN (503) without SQL or queue."""

    health = Health(
        {
            "mq": neighbours.Queue(),
            "sql": neighbours.Sql(),
            # The spec's name, whatever store is in use.
            "aerospike": neighbours.StatusStore(),
            "service_registry": neighbours.ServiceRegistry(),
        }
    )

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> JsonResponse:
        del request
        return _answer(self.health.states(), components=True)


class LiveView(_Probe):
    """The process answers; nothing else is asked."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> JsonResponse:
        del request
        return _answer({}, components=False)


class ReadyView(_Probe):
    """A web process can do its work as long as SQL answers."""

    health = Health({"sql": neighbours.Sql()})

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> JsonResponse:
        del request
        return _answer(self.health.states(), components=False)
