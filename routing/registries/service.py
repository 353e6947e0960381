"""What a registry says of a service, and what every kind of registry has to offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Protocol

from routing.endpoints import checked_endpoint

MOST_INSTANCES = 100
MOST_WEIGHT = 65_535  # as in SRV records
UP = "UP"


class RegistryUnavailable(Exception):
    """The registry did not say where the service is; the message has what was asked and what came.

    RegistryUnavailable
    └── ServiceUnknown   it answered that there is no such service, or none that may be called
    """


class ServiceUnknown(RegistryUnavailable):
    pass


@dataclass(slots=True, frozen=True)
class Instance:
    """`endpoint`: an http(s) URL without a trailing slash.

    `priority`: the lowest that works is used. `weight`: its share among those; 0: only when none with more is left.
    `health`: as the registry calls it.
    """

    endpoint: str
    weight: int = 1
    priority: int = 0
    health: str = UP


@dataclass(slots=True, frozen=True)
class Service:
    """`instances`: those that may be called, at least one, the most wanted first; `left_out`: the others."""

    name: str
    instances: tuple[Instance, ...]
    left_out: tuple[Instance, ...] = ()

    @property
    def endpoint(self) -> str:
        """Of the instance that is wanted most."""
        return self.instances[0].endpoint


class Source(Protocol):
    """A registry of some kind. For one thread at a time.

    `where`: what is asked, for people.
    """

    where: str

    def ask(self, name: str) -> Service:
        """One attempt. Raises `RegistryUnavailable`, `ServiceUnknown`."""

    def close(self) -> None: ...


def service(
    name: str, instances: Iterable[Instance], *, left_out: Iterable[Instance] = (), https_only: bool
) -> Service:
    """Of what a registry has listed. Raises `ValueError` where nothing of it may be called.

    An instance that cannot be called, or only otherwise than `https_only` asks for, is left out; so is what
    is listed beyond `MOST_INSTANCES`.
    """
    listed = sorted(instances, key=lambda one: (one.priority, -one.weight, one.endpoint))
    usable: dict[str, Instance] = {}
    others = list(left_out)
    complaint = "it lists no instance"
    for one in listed:
        try:
            called = _checked(one, https_only=https_only)
        except ValueError as error:
            complaint = str(error)
            others.append(Instance(one.endpoint, one.weight, one.priority, complaint))
            continue
        if len(usable) < MOST_INSTANCES:
            usable.setdefault(called.endpoint, called)
        else:
            others.append(Instance(called.endpoint, one.weight, one.priority, f"beyond {MOST_INSTANCES}"))
    if not usable:
        raise ValueError(complaint)
    return Service(name, tuple(usable.values()), tuple(others))


def at(scheme: str, host: str, port: int) -> str:
    """The endpoint; whether it can be called, `service` looks."""
    try:
        host = f"[{IPv6Address(host)}]"
    except ValueError:
        host = host.removesuffix(".")
    return f"{scheme}://{host}:{port}"


def _checked(one: Instance, *, https_only: bool) -> Instance:
    endpoint = checked_endpoint(one.endpoint)
    if https_only and not endpoint.startswith("https:"):
        raise ValueError("expected an https:// endpoint: certificates are configured for it")
    return Instance(endpoint, min(max(0, one.weight), MOST_WEIGHT), one.priority, one.health)
