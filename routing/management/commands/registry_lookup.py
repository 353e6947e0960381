"""`manage.py registry_lookup`: where a service is, as the registry says it now."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from orders.management.runbook import RunbookCommand, cell
from routing.registry import Instance, Registry, RegistryUnavailable, Service


class Command(RunbookCommand):
    help = "Ask the service registry where a service is. Exit 1 if it names none that may be called."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("service", nargs="?", help="another name than service_registry.router_service")

    def handle(self, *, service: str | None, **options: Any) -> None:
        registry = Registry.from_settings()
        try:
            found = registry.lookup(service or settings.CONFIG.service_registry.router_service)
        except RegistryUnavailable as error:
            raise CommandError(str(error)) from None
        finally:
            registry.close()
        if options["json"]:
            self.show_json({"registry": _registry(registry), **asdict(found), "endpoint": found.endpoint})
            return
        self._tell(registry, found)

    def _tell(self, registry: Registry, found: Service) -> None:
        kind, where = _registry(registry).values()
        table = self.table("Endpoint", ">Weight", ">Priority", "Health", "Called")
        for one in found.instances:
            table.add_row(*_cells(one), "yes")
        for one in found.left_out:
            table.add_row(*_cells(one), "no", style="dim")
        self.show(f"{found.name}, says {where} ({kind})", table)


def _registry(registry: Registry) -> dict[str, str]:
    return {"kind": settings.CONFIG.service_registry.kind, "where": registry.where}


def _cells(one: Instance) -> tuple[str, ...]:
    return cell(one.endpoint), cell(one.weight), cell(one.priority), cell(one.health)
