# noqa: INP001 - a script
"""Holds what deploys the service against the schemas of those who read it: Dockerfile, compose, Kubernetes, systemd."""

import shutil
import subprocess  # nosec: B404 - each call says what it runs
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import yaml

COMPOSE = [Path("compose.yaml"), *Path("deploy").glob("*/compose.yaml")]
KUBERNETES = Path("deploy/kubernetes")
KUBERNETES_VERSION = "1.34"  # sleep in preStop needs 1.30
SYSTEMD = Path("deploy/systemd")
# Kinds without a schema in the cluster's own API; tests/unit/deploy/test_kubernetes.py looks into them.
FOREIGN = "Kustomization", "ScaledObject"


def said_by(*command: str) -> list[str]:
    """The lines of a checker that is not content."""
    tool = shutil.which(command[0], path=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    if tool is None:
        return [f"{command[0]} is not installed: without it this is not checked"]
    done = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - named above
    said = (done.stdout + done.stderr).strip()
    return said.splitlines() or [f"{command[0]} ended with {done.returncode}"] if done.returncode else []


def image() -> list[str]:
    return said_by("hadolint", "Dockerfile")


def compose() -> list[str]:
    return said_by("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, COMPOSE))


def kubernetes() -> Iterator[str]:
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name == "order-entry.yaml":
            continue  # the service's own configuration
        for resource in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if resource["kind"] in FOREIGN:
                continue
            try:
                kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{path}: {resource['kind']}{error.json_path.lstrip('$')}: {error.message}"


def systemd() -> list[str]:
    """Asks systemd itself, which wants to find the programs that the units start."""
    units = sorted(unit.name for unit in SYSTEMD.iterdir())
    with tempfile.TemporaryDirectory() as root:
        there = Path(root, "etc/systemd/system")
        shutil.copytree(SYSTEMD, there)
        for program in ("opt/order-entry/.venv/bin/python", "opt/order-entry/.venv/bin/gunicorn", "bin/kill"):
            path = Path(root, program)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o755)
        # Not sysinit.target and its kind, which this root does not have.
        return said_by(
            "systemd-analyze", "verify", "--recursive-errors=no", "--man=no", f"--root={root}", *units
        )


def main() -> int:
    faults = [*image(), *compose(), *kubernetes(), *systemd()]
    print("\n".join(faults) or "Dockerfile, compose files, manifests and units are valid.")  # noqa: T201 - its answer
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
