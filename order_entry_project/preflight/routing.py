"""The service registry, and the router where it says that is. The router is not asked anything: it would route."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.conf import settings

from order_entry_project.preflight import endpoint
from order_entry_project.preflight.finding import Finding, Level, failed, ok
from routing.registry import Registry, RegistryUnavailable, ServiceUnknown

_REGISTRY, _NAME = "service_registry.endpoint", "service_registry.router_service"


def findings(patience: float) -> Iterator[Finding]:
    config = settings.CONFIG.service_registry
    for finding in endpoint.look(_REGISTRY, config.endpoint, config, patience / 3):
        yield finding
        if finding.level is Level.FAILED:
            return
    registry = Registry.from_settings(timeout=min(config.timeout, patience / 3))
    once = threading.Event()
    once.set()
    try:
        router = registry.lookup(config.router_service, stopping=once).endpoint
    except ServiceUnknown as error:
        yield failed(
            _NAME,
            str(error),
            expected="the name the router is registered under",
            advice="register the router, or correct the name",
        )
        return
    except RegistryUnavailable as error:
        yield failed(
            _REGISTRY,
            str(error),
            expected="a registry that answers GET with the router's endpoint",
            advice="compare service_registry.endpoint and path with what the registry offers",
        )
        return
    finally:
        registry.close()
    yield ok(_NAME, f"{config.router_service} is at {router}, says the registry")
    yield from endpoint.look(_NAME, router, settings.CONFIG.router, patience / 3)
