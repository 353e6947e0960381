"""The service registry, and the routers where it says they are. A router is not asked anything: it would route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings

from order_entry_project.preflight import endpoint
from order_entry_project.preflight.finding import Finding, Level, failed, ok
from routing.registry import Registry, RegistryUnavailable, Service, ServiceUnknown

_REGISTRY, _NAME = "service_registry.endpoint", "service_registry.router_service"
_KEYS = {"static": "service_registry.instances", "dns": "service_registry.dns_name"}


def findings(patience: float) -> Iterator[Finding]:
    config = settings.CONFIG.service_registry
    if config.is_asked_by_http:
        for finding in endpoint.look(_REGISTRY, config.endpoint, config, patience / 3):
            yield finding
            if finding.level is Level.FAILED:
                return
    found = _look_up(min(config.timeout, patience / 3))
    if isinstance(found, Finding):
        yield found
        return
    where = ", ".join(one.endpoint for one in found.instances)
    yield ok(_NAME, f"{config.router_service} is at {where}, says the registry")
    yield from _routers(found, patience / 3)


def _look_up(patience: float) -> Service | Finding:
    config = settings.CONFIG.service_registry
    registry = Registry.from_settings(timeout=patience)
    try:
        return registry.lookup_once(config.router_service)
    except ServiceUnknown as error:
        return failed(
            _NAME,
            str(error),
            expected="the name the router is registered under",
            advice="register the router, or correct the name",
        )
    except RegistryUnavailable as error:
        return failed(
            _KEYS.get(config.kind, _REGISTRY),
            str(error),
            expected=f"a registry of kind {config.kind} that answers with the router's endpoint",
            advice="compare the section service_registry with what the registry offers",
        )
    finally:
        registry.close()


def _routers(found: Service, patience: float) -> Iterator[Finding]:
    """As long as one answers, those that do not are warnings."""
    looks = [
        list(endpoint.look(_NAME, one.endpoint, settings.CONFIG.router, patience / len(found.instances)))
        for one in found.instances
    ]
    works = any(all(finding.level is not Level.FAILED for finding in findings) for findings in looks)
    for finding in (finding for findings in looks for finding in findings):
        spared = works and finding.level is Level.FAILED
        yield replace(finding, level=Level.WARNING) if spared else finding
