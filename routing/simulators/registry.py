"""A service registry over HTTP whose entries can be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from routing.endpoints import checked_endpoint
from routing.simulators.dials import RegistryDials
from routing.simulators.serving import Panel, answer, fault


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: str


_entry = msgspec.json.Decoder(_Entry)


def registry_app(services: Mapping[str, str], dials: RegistryDials, *, seed: int | None) -> web.Application:
    """`GET` and `PUT /services/{name}`, and the panel's own. `services`: name → endpoint."""
    registry = _Registry(dict(services), Panel(dials, seed=seed))
    app = web.Application()
    app.add_routes(
        [web.get("/services/{name}", registry.lookup), web.put("/services/{name}", registry.register)]
    )
    app.add_routes(registry.panel.routes())
    return app


class _Registry:
    def __init__(self, services: dict[str, str], panel: Panel) -> None:
        self.panel = panel
        self._services = services

    async def lookup(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        befalls = self.panel.draw()
        await self.panel.wait()
        if befalls == "failure_rate":
            return fault(503, "the registry is not available")
        if name not in self._services:
            return fault(404, f"no service {name!r} is registered")
        return self._entry_of(name)

    async def register(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            self._services[name] = checked_endpoint(_entry.decode(await request.read()).endpoint)
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            return fault(422, f'expected {{"endpoint": "http://host:port"}}: {error}')
        return self._entry_of(name)

    def _entry_of(self, name: str) -> web.Response:
        return answer({"name": name, "endpoint": self._services[name]})
