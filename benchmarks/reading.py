"""How fast orders are read, beside a plain DRF project on the same book: `python -m benchmarks.reading`.

Both run under gunicorn with the same number of processes and threads, loaded in turn by wrk (Debian: apt-get
install wrk) over 16 kept connections; the cache is a Redis of its own. The database that is configured must be
migrated; an empty book is filled with a million orders, for a second run, too. Requests a second are medians; CPU is
that of the web processes alone, by the kernel's clock. Which of its processes gunicorn has take how many of the
connections is luck, drawn anew for each load: many short rounds say more than few long ones.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.console_book import fill
from benchmarks.order_path.measuring import cpu_seconds
from order_entry_project.embedded.processes import Child
from tests.ports import free_port
from tests.servers import redis
from tests.servers.binaries import installed

ROOT = Path(__file__).resolve().parents[1]
IDS = 1000
CONNECTIONS = 16
# Paths of a file, in turn.
_SCRIPT = """
local paths, at = {}, 0
for line in io.lines("%s") do paths[#paths + 1] = line end
request = function()
    at = at %% #paths + 1
    return wrk.format("GET", paths[at])
end
"""


@dataclass
class Server:
    """Under load: `paths` by kind of request."""

    name: str
    url: str
    pid: int
    headers: Mapping[str, str]
    log: Path
    rates: dict[str, list[float]] = field(default_factory=dict)
    costs: dict[str, list[float]] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    parser.add_argument("--orders", type=int, default=1_000_000, help="that an empty book is filled with")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--worker-class", help="gunicorn's, instead of what the configuration says")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    ids = _book(options.orders)
    kinds = {"order": [f"/order/{order_id}" for order_id in ids], "list": ["/order?limit=100"]}
    scripts = {kind: _script(folder / kind, paths) for kind, paths in kinds.items()}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(_ours(folder, options)),
            stack.enter_context(_plain(folder, options)),
        ]
        for server in servers:
            for kind, script in scripts.items():  # connections, caches, prepared statements
                _load(server, kind, script, seconds=2, counts=False)
        for _ in range(options.rounds):
            for kind, script in scripts.items():
                for server in servers:
                    _load(server, kind, script, seconds=options.seconds)
    figures = {kind: _figures(kind, *servers) for kind in kinds}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _figures(kind: str, ours: Server, plain: Server) -> dict[str, Any]:
    print(f"{kind}:")
    for server in (ours, plain):
        rates, costs = sorted(server.rates[kind]), sorted(server.costs[kind])
        print(
            f"  {server.name:<10} {statistics.median(rates):7.0f} requests/s ({rates[0]:.0f} to {rates[-1]:.0f}),"
            f" {statistics.median(costs):6.0f} µs CPU each ({costs[0]:.0f} to {costs[-1]:.0f})"
        )
    rate = statistics.median(a / b for a, b in zip(ours.rates[kind], plain.rates[kind], strict=True))
    cost = statistics.median(b / a for a, b in zip(ours.costs[kind], plain.costs[kind], strict=True))
    print(f"  ratio      {rate:7.2f} in requests/s, {cost:.2f} in CPU")
    return {
        "rates": {server.name: server.rates[kind] for server in (ours, plain)},
        "costs_us": {server.name: server.costs[kind] for server in (ours, plain)},
        "ratio_of_rates": rate,
        "ratio_of_costs": cost,
    }


def _book(orders: int) -> list[str]:
    """Ids of the newest orders; the book is filled where it is empty."""
    env = os.environ
    with psycopg.connect(
        host=env["ORDER_ENTRY__DATABASE__SQL_HOST"],
        user=env["ORDER_ENTRY__DATABASE__SQL_USER"],
        dbname=env["ORDER_ENTRY__DATABASE__SQL_DATABASE"],
        autocommit=True,
    ) as connection:
        newest = "SELECT order_id FROM orders ORDER BY created_at DESC LIMIT %s"
        if not (rows := connection.execute(newest, [IDS]).fetchall()):
            fill(connection, orders)
            rows = connection.execute(newest, [IDS]).fetchall()
        return [row[0] for row in rows]


def _script(path: Path, paths: list[str]) -> Path:
    path.with_suffix(".paths").write_text("\n".join(paths) + "\n")
    path.with_suffix(".lua").write_text(_SCRIPT % path.with_suffix(".paths"))
    return path.with_suffix(".lua")


@contextmanager
def _ours(folder: Path, options: argparse.Namespace) -> Iterator[Server]:
    with redis.server(folder) as cache:
        env = {
            **os.environ,
            "ORDER_ENTRY__REDIS__URL": f"redis://127.0.0.1:{cache['port']}",
            "ORDER_ENTRY__CACHE__STORE": "redis",
            # It is not strangers that are measured.
            "ORDER_ENTRY__API__THROTTLE_ANONYMOUS": "100000000/s",
            "ORDER_ENTRY__API__THROTTLE_AUTHENTICATED": "100000000/s",
        }
        create = [
            sys.executable,
            "manage.py",
            "create_api_token",
            f"reading-{os.getpid()}",
            "--scope",
            "read",
        ]
        said = subprocess.run(
            [*create, "--json"], env=env, cwd=ROOT, check=True, capture_output=True, text=True
        )
        headers = {"Authorization": f"Bearer {json.loads(said.stdout)['token']}"}
        argv = ["-c", "order_entry_project/gunicorn.conf.py"]
        if options.worker_class:
            argv += ["-k", options.worker_class]
        with _gunicorn("ours", argv, folder, env, headers, options) as server:
            yield server


@contextmanager
def _plain(folder: Path, options: argparse.Namespace) -> Iterator[Server]:
    argv = [
        "-k",
        "gthread",
        "--keep-alive",
        "75",
        "--worker-tmp-dir",
        "/dev/shm",  # noqa: S108 - as gunicorn.conf.py has it
        "benchmarks.plain_drf.wsgi",
    ]
    with _gunicorn("plain DRF", argv, folder, {**os.environ}, {}, options) as server:
        yield server


@contextmanager
def _gunicorn(
    name: str,
    argv: list[str],
    folder: Path,
    env: dict[str, str],
    headers: dict[str, str],
    options: argparse.Namespace,
) -> Iterator[Server]:
    bind = f"127.0.0.1:{free_port()}"
    shape = ["-b", bind, "-w", str(options.processes), "--threads", str(options.threads)]
    log = folder / f"{name}.log"
    with Child.running(
        [sys.executable, "-m", "gunicorn", *shape, *argv],
        name=name,
        log=log,
        env=env,
        folder=ROOT,
    ) as child:
        _await(f"http://{bind}/order?limit=1", headers, child)
        yield Server(name, f"http://{bind}", child.pid, headers, log)


def _await(url: str, headers: Mapping[str, str], child: Child) -> None:
    until = time.monotonic() + 30
    while True:
        child.check()
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=5).close()  # noqa: S310
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _load(server: Server, kind: str, script: Path, *, seconds: int, counts: bool = True) -> None:
    argv = [installed("wrk", package="wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
    for name, value in server.headers.items() if kind == "list" else ():
        argv += ["-H", f"{name}: {value}"]
    before = cpu_seconds(server.pid)
    said = subprocess.run([*argv, server.url], check=True, capture_output=True, text=True).stdout
    spent = cpu_seconds(server.pid) - before
    if not counts:
        return
    found = re.search(r"(\d+) requests in ", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{server.name}, {kind}: {said}\n{server.log.read_text()[-4000:]}")
    server.rates.setdefault(kind, []).append(float(rate[1]))
    server.costs.setdefault(kind, []).append(1e6 * spent / int(found[1]))


if __name__ == "__main__":
    main()
