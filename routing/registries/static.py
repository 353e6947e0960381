"""Kind `static`: the instances stand in the configuration."""

from __future__ import annotations

from collections.abc import Sequence

from routing.registries.service import Instance, RegistryUnavailable, Service, service


class StaticRegistry:
    where = "service_registry.instances"

    def __init__(self, instances: Sequence[Instance], *, https_only: bool) -> None:
        self._instances = instances
        self._https_only = https_only

    def ask(self, name: str) -> Service:
        try:
            return service(name, self._instances, https_only=self._https_only)
        except ValueError as error:
            raise RegistryUnavailable(f"{self.where}: {error}") from None

    def close(self) -> None:
        """Nothing is open."""
