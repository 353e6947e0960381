"""A service registry over HTTP whose entries can be changed while it runs.

It answers in its own form and in those of Consul and Eureka, each at the path of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from routing.endpoints import checked_endpoint
from routing.registries import consul, eureka, http
from routing.simulators.dials import RegistryDials
from routing.simulators.serving import Panel, answer, fault


class _Instance(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: str
    weight: Annotated[int, msgspec.Meta(ge=0)] = 1


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: str | None = None
    instances: list[_Instance] = []

    def listed(self) -> list[_Instance]:
        """Raises `ValueError` where there is none, or one that cannot be called."""
        given = [*self.instances, *([_Instance(self.endpoint)] if self.endpoint is not None else [])]
        if not given:
            raise ValueError("neither `endpoint` nor `instances` is there")
        return [_Instance(checked_endpoint(one.endpoint), one.weight) for one in given]


_entry = msgspec.json.Decoder(_Entry)


def registry_app(
    services: Mapping[str, Sequence[str]], dials: RegistryDials, *, seed: int | None
) -> web.Application:
    """`GET` and `PUT /services/{name}`, Consul's and Eureka's paths, and the panel's. `services`: name → endpoints."""
    listed = {name: [_Instance(endpoint) for endpoint in endpoints] for name, endpoints in services.items()}
    registry = _Registry(listed, Panel(dials, seed=seed))
    app = web.Application()
    app.add_routes(
        [
            web.get(http.PATH, registry.lookup),
            web.put(http.PATH, registry.register),
            web.get(consul.PATH, registry.as_consul),
            web.get(eureka.PATH, registry.as_eureka),
        ]
    )
    app.add_routes(registry.panel.routes())
    return app


class _Registry:
    def __init__(self, services: dict[str, list[_Instance]], panel: Panel) -> None:
        self.panel = panel
        self._services = services

    async def lookup(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return await self._befallen() or (self._entry_of(name) if name in self._services else _unknown(name))

    async def as_consul(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        instances = self._services.get(name, [])
        return await self._befallen() or answer([_consul(name, one) for one in instances])

    async def as_eureka(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].upper()
        known = {known.upper(): instances for known, instances in self._services.items()}
        if failure := await self._befallen():
            return failure
        if name not in known:
            return _unknown(name)
        return answer(
            {"application": {"name": name, "instance": [_eureka(name, one) for one in known[name]]}}
        )

    async def register(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            self._services[name] = _entry.decode(await request.read()).listed()
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            return fault(
                422, f'expected {{"endpoint": "http://host:port"}} or "instances" with those: {error}'
            )
        return self._entry_of(name)

    async def _befallen(self) -> web.Response | None:
        befalls = self.panel.draw()
        await self.panel.wait()
        return fault(503, "the registry is not available") if befalls == "failure_rate" else None

    def _entry_of(self, name: str) -> web.Response:
        """One instance is an endpoint, several are a list besides."""
        instances = self._services[name]
        several = {"instances": instances} if len(instances) > 1 else {}
        return answer({"name": name, "endpoint": instances[0].endpoint, **several})


def _unknown(name: str) -> web.Response:
    return fault(404, f"no service {name!r} is registered")


def _consul(name: str, one: _Instance) -> dict[str, Any]:
    url = urlsplit(one.endpoint)
    return {
        "Node": {"Node": "simulated", "Address": url.hostname, "Datacenter": "dc1"},
        "Service": {
            "ID": f"{name}-{url.netloc}",
            "Service": name,
            "Tags": [],
            "Address": "",
            "Port": _port(one),
            "Meta": {},
            "Weights": {"Passing": one.weight, "Warning": one.weight},
        },
        "Checks": [{"CheckID": "serfHealth", "Status": "passing"}],
    }


def _eureka(name: str, one: _Instance) -> dict[str, Any]:
    url = urlsplit(one.endpoint)
    secure = url.scheme == "https"
    return {
        "instanceId": f"{url.netloc}:{name}",
        "app": name,
        "hostName": url.hostname,
        "ipAddr": url.hostname,
        "status": "UP",
        "port": {"$": _port(one), "@enabled": str(not secure).lower()},
        "securePort": {"$": _port(one), "@enabled": str(secure).lower()},
    }


def _port(one: _Instance) -> int:
    url = urlsplit(one.endpoint)
    return url.port or (443 if url.scheme == "https" else 80)
