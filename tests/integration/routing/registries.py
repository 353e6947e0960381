"""Registries as the configuration would make them, and a server of each kind's answers."""

from __future__ import annotations

from routing.registries.asking import Asking
from routing.registries.http import PATH, HttpRegistry
from routing.registries.service import Instance
from routing.registries.static import StaticRegistry
from routing.registry import Registry

ENTRY = b'{"name": "order-router", "endpoint": "http://router:8082"}'


def registry_at(url, *, timeout=2.0, path=PATH, https_only=False, **options):
    """Of kind http."""
    asking = Asking(url.removeprefix("http://"), path, timeout=timeout, **options)
    return Registry(HttpRegistry(asking, https_only=https_only))


def static(*endpoints):
    return StaticRegistry([Instance(endpoint) for endpoint in endpoints], https_only=False)
