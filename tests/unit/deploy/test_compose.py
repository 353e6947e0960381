"""What no schema tells of the image, compose.yaml and the units: that they fit each other, and the service."""

import configparser
import shlex

import pytest
from django.core.management import get_commands

from order_entry_project.config import load
from tests.checkout import ROOT
from tests.unit.deploy.manifests import COMPOSE, duration

SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "order-entry"]


@pytest.fixture
def config(monkeypatch):
    for key, value in COMPOSE["x-order-entry"]["environment"].items():
        if key.startswith("ORDER_ENTRY__"):
            monkeypatch.setenv(key, value)
    monkeypatch.setenv("ORDER_ENTRY_CONFIG", str(ROOT / "deploy" / "compose" / "order-entry.yaml"))
    return load()


def test_every_neighbour_of_the_configuration_is_a_service(config):
    hosts = {
        config.database.sql_host,
        config.service_registry.endpoint.split(":")[0],
        *(seed.split(":")[0] for seed in config.aerospike.seed_hosts),
        config.mq.broker_url.rpartition("@")[2].split(":")[0],
        config.telemetry.otlp_endpoint.split("//")[1].split(":")[0],
        config.service.name,
    }
    assert hosts <= SERVICES.keys()


def test_passwords_are_those_of_the_servers(config):
    assert (
        config.database.sql_password.get_secret_value()
        == (SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"])
    )
    assert (
        config.mq.password.get_secret_value()
        == (SERVICES["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_PASS"])
    )


def test_every_file_that_is_mounted_is_there():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source


def test_every_port_listens_on_this_machine_alone():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_command_is_there():
    commands = [SERVICES[name]["command"] for name in OURS if "command" in SERVICES[name]]
    assert len(commands) == len(OURS) - 1  # the web process is the image's own
    for command in commands:
        words = command if command[0] == "python" else shlex.split(command[2])
        assert words[words.index("manage.py") + 1] in get_commands()


def test_a_container_is_given_longer_to_end_than_a_drain_takes(config):
    assert duration(SERVICES["consumers"]["stop_grace_period"]) >= config.service.drain_timeout + 5


def test_the_image_takes_in_every_package_of_the_service():
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for package in ("orders", "routing", "consumers", "order_entry_project"):
        assert f"!{package}" in kept
        assert f"COPY {package} {package}\n" in dockerfile
    for line in dockerfile.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert f"!{source}" in kept
                assert (ROOT / source).exists()


def units():
    return sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("path", units(), ids=lambda path: path.stem)
def test_a_unit_starts_what_there_is_and_gives_it_time_to_drain(path, config):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path, encoding="utf-8")
    service = unit["Service"]
    words = service["ExecStart"].split()
    assert "order_entry_project/gunicorn.conf.py" in words or words[2] in get_commands()
    if service.get("Restart") == "always":
        assert int(service["TimeoutStopSec"]) >= config.service.drain_timeout + 5
