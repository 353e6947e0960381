"""Kind `consul`: `GET {endpoint}/v1/health/service/NAME`.

Note on health: all instances are asked for, not the `passing` ones, and the worst check of each is looked at, as
Consul's own DNS does: a critical one is left out, one with a warning is called by its weight for that. So a service
that nobody has registered can be told from one of which no instance is well.

Note on blocking queries: none are made. A connection held open for each process would tell of changes a little
sooner; an instance that fails is left alone by its breaker at once, and the registry is asked again then.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from routing.registries.asking import Asking
from routing.registries.service import UP, Instance, Service, ServiceUnknown, at, service

PATH = "/v1/health/service/{name}"
_FROM_BAD_TO_WORSE = ("passing", "warning", "critical")


class _Node(msgspec.Struct, rename="pascal"):
    address: str = ""


class _Weights(msgspec.Struct, rename="pascal"):
    passing: int = 1
    warning: int = 1


class _Service(msgspec.Struct, rename="pascal"):
    service: str
    port: int
    address: str = ""
    weights: _Weights | None = None


class _Check(msgspec.Struct, rename="pascal"):
    status: str


class _Entry(msgspec.Struct, rename="pascal"):
    node: _Node
    service: _Service
    checks: list[_Check] | None = None


_entries = msgspec.json.Decoder(list[_Entry])


class ConsulRegistry:
    """`params`: `dc`, `tag`."""

    def __init__(self, asking: Asking, *, scheme: str, params: Mapping[str, str], https_only: bool) -> None:
        self.where = asking.base
        self.close = asking.close
        self._asking = asking
        self._scheme = scheme
        self._params = params
        self._https_only = https_only

    def ask(self, name: str) -> Service:
        return self._asking.get(name, lambda body: self._read(name, body), self._params)

    def _read(self, name: str, body: bytes) -> Service:
        entries = _entries.decode(body)
        if not entries:
            raise ServiceUnknown(f"Consul lists no instance of {name!r} (or the token may not see them)")
        if foreign := {entry.service.service for entry in entries} - {name}:
            raise ValueError(f"that is {foreign.pop()!r}; asked for {name!r}")
        instances = [self._instance(entry) for entry in entries]
        well = [one for one in instances if one.health in (UP, "warning")]
        if not well:
            raise ServiceUnknown(f"none of the {len(instances)} instances of {name!r} is healthy")
        others = [one for one in instances if one not in well]
        return service(name, well, left_out=others, https_only=self._https_only)

    def _instance(self, entry: _Entry) -> Instance:
        registered = entry.service
        endpoint = at(self._scheme, registered.address or entry.node.address, registered.port)
        health = _worst([check.status for check in entry.checks or ()])
        weights = registered.weights or _Weights()
        if health == "passing":
            return Instance(endpoint, weights.passing)
        return Instance(endpoint, weights.warning, health=health)


def _worst(statuses: list[str]) -> str:
    """One that is not known here counts as critical."""
    return max(
        (status if status in _FROM_BAD_TO_WORSE else "critical" for status in statuses),
        key=_FROM_BAD_TO_WORSE.index,
        default="passing",
    )
