"""Kind `http`: `GET {endpoint}{path}` → `{"name": …, "endpoint": "http://host:port"}`.

One that knows several instances answers `{"name": …, "instances": [{"endpoint": …, "weight": 1, "priority": 0}, …]}`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from routing.registries.asking import Asking
from routing.registries.service import Instance, Service, service

PATH = "/services/{name}"


class _Listed(msgspec.Struct):
    endpoint: str
    weight: Annotated[int, msgspec.Meta(ge=0)] = 1
    priority: int = 0


class _Entry(msgspec.Struct):
    name: str
    endpoint: str | None = None
    instances: list[_Listed] = []  # msgspec makes a list for each


_entry = msgspec.json.Decoder(_Entry)


class HttpRegistry:
    def __init__(self, asking: Asking, *, https_only: bool) -> None:
        self.where = asking.base
        self.close = asking.close
        self._asking = asking
        self._https_only = https_only

    def ask(self, name: str) -> Service:
        return self._asking.get(name, lambda body: self._read(name, body))

    def _read(self, name: str, body: bytes) -> Service:
        entry = _entry.decode(body)
        if entry.name != name:
            raise ValueError(f"that is another service; asked for {name!r}")
        listed = entry.instances
        if not listed:
            if entry.endpoint is None:
                raise ValueError("expected `endpoint`, or `instances`")
            listed = [_Listed(entry.endpoint)]
        instances = [Instance(one.endpoint, one.weight, one.priority) for one in listed]
        return service(name, instances, https_only=self._https_only)
