"""A router over HTTP that routes every order and misbehaves as its dials say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from routing.simulators.dials import RouterDials
from routing.simulators.serving import Panel, answer, fault
from routing.simulators.venue import KeyConflict, Venue


class _Order(msgspec.Struct):
    order_id: str = msgspec.field(name="orderId")


_order = msgspec.json.Decoder(_Order)


def router_app(venues: Sequence[str], dials: RouterDials, *, seed: int | None) -> web.Application:
    """`POST /route`, `GET /executions`, and the panel's own."""
    router = _Router(Venue(venues), Panel(dials, seed=seed))
    app = web.Application(client_max_size=1 << 20)
    app.add_routes([web.post("/route", router.route), web.get("/executions", router.executions)])
    app.add_routes(router.panel.routes())
    return app


class _Router:
    def __init__(self, venue: Venue, panel: Panel) -> None:
        self.panel = panel
        self._venue = venue

    async def executions(self, _: web.Request) -> web.Response:
        return answer(self._venue.report())

    async def route(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        key = request.headers.get("Idempotency-Key")
        try:
            order_id = _order.decode(body).order_id
            name = self._venue.receive(key, order_id, body, request.headers.get("traceparent"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return fault(400, f"expected an order with orderId as JSON: {error}")
        except KeyConflict as conflict:
            return fault(422, str(conflict))
        befalls = self.panel.draw()
        self._venue.note(befalls.removesuffix("_rate") if befalls else "answered")
        if befalls in ("failure_rate", "garbage_rate"):
            await self.panel.wait()
            return fault(503, "no venue answers") if befalls == "failure_rate" else answer({"venue": [None]})
        if befalls == "refusal_rate":
            self._venue.refuse(name)
        # Executed before the wait: who gives up waiting has an execution all the same.
        route = self._venue.execute(name, again=key is None)
        await self.panel.wait()
        if befalls == "hang_rate":
            await asyncio.Event().wait()
        if befalls == "drop_rate":
            return await _dropped(request)
        return answer({"route": route}) if route else fault(422, "no venue takes this order")


async def _dropped(request: web.Request) -> web.StreamResponse:
    """No answer, and the line gone."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
