"""`manage.py run`: the whole service on an embedded stack, with a trickle of orders, until Ctrl-C."""

from __future__ import annotations

import socket
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.status import Status

from order_entry_project.config import EMBEDDED_DIR, Database, Service
from order_entry_project.embedded.figures import Figures, count
from order_entry_project.embedded.files import kept_secret
from order_entry_project.embedded.processes import EmbeddedError
from order_entry_project.embedded.signals import stopping_on_signals
from order_entry_project.embedded.stack import Stack, embedded_stack

_ADMIN = "admin"
_HOST = "127.0.0.1"
_PATIENCE = 60.0


class Command(BaseCommand):
    help = "Run the service on an embedded stack with a trickle of orders, until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=float, default=2.0, help="orders per second (%(default)s)")
        parser.add_argument("--port", type=int, default=Service().port, help="of the API (%(default)s)")
        parser.add_argument("--data", type=Path, default=EMBEDDED_DIR, help="folder of the embedded stack")

    def handle(self, *, rate: float, port: int, data: Path, **_: Any) -> None:
        console = Console()
        try:
            with stopping_on_signals():
                _run(console, rate=rate, port=port, folder=data)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            console.print("Stopped. Nothing is left running; the data stays until `make clean`.")


def _run(console: Console, *, rate: float, port: int, folder: Path) -> None:
    with ExitStack() as running, console.status("Starting") as status:
        # Without a terminal the status line is not shown.
        say = status.update if console.is_terminal else console.print
        stack = running.enter_context(
            embedded_stack(folder=folder, database=Database().sql_database, say=say)
        )
        free = _free_port(port)
        if free != port:
            console.print(f"Port {port} is taken: the API and the console are on {free}.")
        stack.configure("service", port=free)
        password = _login(stack)
        say("Starting the service")
        web = running.enter_context(
            stack.service("web", "-m", "gunicorn", "-c", "order_entry_project/gunicorn.conf.py")
        )
        running.enter_context(stack.service("consume_orders"))
        retrying = ("manage.py", "retry_pending_routes", "--daemon")
        running.enter_context(stack.service("retry_pending_routes", *retrying))
        web.await_port(free, patience=_PATIENCE)
        console.print(_welcome(free, password, stack), highlight=False, soft_wrap=True)
        trickle = ("manage.py", "publish_sample_orders", "0", "--rate", str(rate))
        running.enter_context(stack.service("publish_sample_orders", *trickle))
        _keep_up(stack, status)


def _keep_up(stack: Stack, status: Status) -> None:
    """Until a signal or the failure of a part: show the figures."""
    with stack.connect() as book:
        while True:
            stack.check()
            status.update(_line(count(book)))
            time.sleep(1)


def _login(stack: Stack) -> str:
    """The password of the console's user, both made at first start."""
    password = kept_secret(stack.folder / "admin-password", size=12)
    with stack.connect() as book:
        there = book.execute("SELECT true FROM auth_user WHERE username = %s", [_ADMIN]).fetchone()
    if not there:
        login = {"DJANGO_SUPERUSER_USERNAME": _ADMIN, "DJANGO_SUPERUSER_PASSWORD": password}
        stack.manage("createsuperuser", "--noinput", "--email", "", env=login)
    return password


def _free_port(first: int) -> int:
    """The first free port from `first` on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return port
    raise EmbeddedError(f"no port from {first} to {first + 99} is free on {_HOST}")


def _welcome(port: int, password: str, stack: Stack) -> str:
    config = "" if stack.folder == EMBEDDED_DIR else f"ORDER_ENTRY_CONFIG={stack.config} "
    return f"""
Console   http://{_HOST}:{port}/admin/   user {_ADMIN}, password {password}
API       http://{_HOST}:{port}/docs
Health    http://{_HOST}:{port}/health
Logs      {stack.folder / "logs"}
`{config}.venv/bin/python manage.py …` in another terminal works on this stack. Ctrl-C ends it.
"""


def _line(found: Figures) -> str:
    return (
        f"{found.orders:,} orders: {found.routed:,} routed, {found.pending:,} pending; "
        f"{found.published:,} published, {found.rejected:,} messages rejected, {found.waiting:,} waiting"
    )
