"""Prometheus and promtool, Debian's, for tests of what is measured."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from order_entry_project.embedded.processes import Child
from tests.ports import free_port
from tests.servers.asking import needed
from tests.waiting import wait_until


def promtool(*arguments: str | Path) -> str:
    """What it says; fails with it where it finds fault."""
    done = subprocess.run(
        [needed("promtool", package="prometheus"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@dataclass(frozen=True)
class Prometheus:
    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its API; fails with its complaint."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.ok, f"{path} {parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Its samples now, of an expression that gives a vector or a scalar."""
        data = self.get("query", query=expression)
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        return data["result"]

    def value(self, expression: str) -> float | None:
        """Of an expression that gives at most one sample; None: none."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression}: {found}"
        return float(found[0]["value"][1]) if found else None


@contextmanager
def running(folder: Path, targets: Mapping[str, str], rules: Path) -> Iterator[Prometheus]:
    """One that scrapes `targets` (host:port by job) every second and evaluates `rules` as often."""
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(rules)],
                "scrape_configs": [
                    {"job_name": job, "static_configs": [{"targets": [target]}]}
                    for job, target in targets.items()
                ],
            }
        )
    )
    argv = [
        needed("prometheus", package="prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with Child.running(argv, name="Prometheus", log=log, stop=signal.SIGKILL) as child:
        child.await_port(port, patience=30)
        made = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: requests.get(f"{made.url}/-/ready", timeout=5).ok, what="Prometheus is ready")
        yield made
