"""`manage.py simulate_registry`: a service registry to test against."""

from __future__ import annotations

import argparse
from typing import Any

from routing.endpoints import checked_endpoint
from routing.simulators.command import SimulatorCommand
from routing.simulators.dials import RegistryDials
from routing.simulators.registry import registry_app


class Command(SimulatorCommand):
    help = (
        "A service registry to test against: GET and PUT /services/{name}, Consul's GET /v1/health/service/{name}, "
        "Eureka's GET /eureka/apps/{name}, GET and PUT /dials, GET /health."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        self.add_server_arguments(parser, port=8090, dials=RegistryDials)
        parser.add_argument(
            "--service",
            type=_service,
            action="append",
            default=[],
            metavar="NAME=URL",
            help="a service and its endpoint, such as order-router=http://127.0.0.1:8082; repeatable, also for several "
            "instances of one",
        )

    def handle(self, **options: Any) -> None:
        dials = self.dials(RegistryDials, options)
        services: dict[str, list[str]] = {}
        for name, endpoint in options["service"]:
            services.setdefault(name, []).append(endpoint)
        self.run(registry_app(services, dials, seed=options["seed"]), options)


def _service(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not name or not url:
        raise argparse.ArgumentTypeError(f"expected NAME=URL, got {text!r}")
    try:
        return name, checked_endpoint(url)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected NAME=URL: {error}") from None
