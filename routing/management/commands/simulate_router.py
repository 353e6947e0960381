"""`manage.py simulate_router`: a router to test against."""

from __future__ import annotations

import argparse
from typing import Any

from routing.router import MOST_CHARACTERS
from routing.simulators.command import SimulatorCommand
from routing.simulators.dials import RouterDials
from routing.simulators.router import router_app


class Command(SimulatorCommand):
    help = (
        "A router to test against: POST /route, GET /executions, GET and PUT /dials, GET /health. "
        "It honours Idempotency-Key: the same key has the same answer and one execution."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        self.add_server_arguments(parser, port=8082, dials=RouterDials)
        parser.add_argument(
            "--venues",
            type=_venues,
            default="NASDAQ-EXECUTION-1,NYSE-EXECUTION-1",
            help="routes to choose from, by the key, separated by commas (%(default)s)",
        )

    def handle(self, **options: Any) -> None:
        dials = self.dials(RouterDials, options)
        self.run(router_app(options["venues"], dials, seed=options["seed"]), options)


def _venues(text: str) -> list[str]:
    venues = [name.strip() for name in text.split(",")]
    if not all(0 < len(name) <= MOST_CHARACTERS and name.isprintable() for name in venues):
        raise argparse.ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return venues
