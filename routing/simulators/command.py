"""The command line that the simulated servers share."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from django.core.management.base import BaseCommand, CommandError
from pydantic import ValidationError

from orders.management.arguments import number
from routing.simulators.dials import Dials, explained
from routing.simulators.serving import serve

_port = number(int, 0, 65535, "a port from 0 to 65535")
_rate = number(float, 0, 1, "a rate from 0 to 1")
_milliseconds = number(float, 0, 600_000, "milliseconds from 0 to 600000")

D = TypeVar("D", bound=Dials)


class SimulatorCommand(BaseCommand):
    """Needs no database and no broker."""

    requires_system_checks = ()

    def add_server_arguments(self, parser: ArgumentParser, *, port: int, dials: type[Dials]) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
        parser.add_argument(
            "--port", type=_port, default=port, help="port to listen on; 0: a free one (%(default)s)"
        )
        parser.add_argument(
            "--port-file", type=_file, metavar="PATH", help="holds the port while the server listens"
        )
        parser.add_argument("--seed", type=int, help="makes the rates repeatable")
        for name, field in dials.model_fields.items():
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=_rate if name.endswith("_rate") else _milliseconds,
                default=field.default,
                help=f"{field.description or 'of each answer'} (%(default)s)",
            )

    def dials(self, kind: type[D], options: dict[str, Any]) -> D:
        try:
            return kind(**{name: options[name] for name in kind.model_fields})
        except ValidationError as error:
            raise CommandError(explained(error)) from None

    def run(self, app: web.Application, options: dict[str, Any]) -> None:
        host, port = options["host"], options["port"]
        try:
            serve(app, host=host, port=port, port_file=options["port_file"], on_listening=self._say)
        except OSError as error:
            raise CommandError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None

    def _say(self, url: str) -> None:
        self.stdout.write(f"listening on {url}")
        self.stdout.flush()


def _file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, got {text!r}")
    return path
