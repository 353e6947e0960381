"""Kind `eureka`: `GET {endpoint}/eureka/apps/NAME` (Netflix's own has `v2` in its path)."""

from __future__ import annotations

from typing import Literal

import msgspec

from routing.registries.asking import Asking
from routing.registries.service import UP, Instance, Service, ServiceUnknown, at, service

PATH = "/eureka/apps/{name}"


class _Port(msgspec.Struct):
    number: int = msgspec.field(name="$")
    enabled: bool = msgspec.field(name="@enabled")


class _Instance(msgspec.Struct, rename="camel"):
    status: str
    host_name: str = ""
    ip_addr: str = ""
    port: _Port | None = None
    secure_port: _Port | None = None


class _Application(msgspec.Struct):
    name: str
    # One alone comes as itself, not in a list.
    instance: list[_Instance] | _Instance = []


class _Answer(msgspec.Struct):
    application: _Application


class EurekaRegistry:
    """`scheme`: None takes an instance's secure port where that alone is enabled, or https is called for."""

    def __init__(self, asking: Asking, *, scheme: Literal["http", "https"] | None, https_only: bool) -> None:
        self.where = asking.base
        self.close = asking.close
        self._asking = asking
        self._scheme = scheme or ("https" if https_only else None)
        self._https_only = https_only

    def ask(self, name: str) -> Service:
        return self._asking.get(name, lambda body: self._read(name, body))

    def _read(self, name: str, body: bytes) -> Service:
        if body.lstrip().startswith(b"<"):
            raise ValueError("that is XML or HTML; expected JSON, as the request's Accept says")
        # Not strict: its numbers and truths come as such or as text.
        application = msgspec.json.decode(body, type=_Answer, strict=False).application
        if application.name.upper() != name.upper():
            raise ValueError(f"that is {application.name!r}; asked for {name!r}")
        listed = application.instance
        registered = listed if isinstance(listed, list) else [listed]
        instances = [self._instance(one) for one in registered]
        up = [one for one in instances if one.health == UP]
        if not up:
            raise ServiceUnknown(f"none of the {len(instances)} instances of {name!r} is UP")
        others = [one for one in instances if one.health != UP]
        return service(name, up, left_out=others, https_only=self._https_only)

    def _instance(self, one: _Instance) -> Instance:
        scheme, port = self._port(one)
        return Instance(at(scheme, one.host_name or one.ip_addr, port), health=one.status)

    def _port(self, one: _Instance) -> tuple[str, int]:
        """Port 0, which nobody can call, where the one that is wanted is not enabled."""
        plain = one.port.number if one.port and one.port.enabled else 0
        secure = one.secure_port.number if one.secure_port and one.secure_port.enabled else 0
        scheme = self._scheme or ("https" if secure and not plain else "http")
        return scheme, secure if scheme == "https" else plain
