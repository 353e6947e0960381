"""What no schema tells of the manifests: that their parts fit each other, and the service."""

import pytest
import yaml
from django.core.management import get_commands

from order_entry_project.config import load
from tests.checkout import ROOT
from tests.unit.deploy.manifests import KUBERNETES, containers, kustomizations, of_kind, pod, pods

CONFIGURATION = KUBERNETES / "foundation" / "order-entry.yaml"


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setenv("ORDER_ENTRY_CONFIG", str(CONFIGURATION))
    monkeypatch.setenv("ORDER_ENTRY__SAFEGUARD__SQL_API_KEY", "from-a-secret")
    monkeypatch.setenv(
        "ORDER_ENTRY__IDEMPOTENCY__TOKEN_KEYS", '{"check": "from a secret, thirty-two bytes or more"}'
    )
    return load()


def test_every_file_is_named_by_its_kustomization_and_is_there():
    for folder, kustomization in kustomizations():
        generated = [name for made in kustomization.get("configMapGenerator", []) for name in made["files"]]
        named = {*kustomization["resources"], *generated}
        there = {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
        assert {name for name in named if not name.startswith("../")} == there
        for base in named - there:
            assert (folder / base / "kustomization.yaml").is_file(), base


def test_what_selects_pods_finds_some():
    labels = [template["metadata"]["labels"] for template in pods()]
    selectors = [
        *(service["spec"]["selector"] for service in of_kind("Service")),
        *(one["spec"]["selector"]["matchLabels"] for one in of_kind("Deployment", "PodDisruptionBudget")),
        *(one["spec"]["podSelector"].get("matchLabels", {}) for one in of_kind("NetworkPolicy")),
    ]
    assert len(selectors) > 6
    for selector in selectors:
        assert any(selector.items() <= one.items() for one in labels), selector


def test_every_port_that_is_named_is_one_of_the_container_s():
    for template in pods():
        for container in template["spec"]["containers"]:
            names = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert container.get(probe, {"httpGet": {"port": None}})["httpGet"]["port"] in {*names, None}


def test_the_containers_ports_are_those_of_the_configuration(config):
    ports = {port["name"]: port["containerPort"] for one in containers() for port in one.get("ports", [])}
    assert ports == {"http": config.service.port, "metrics": config.telemetry.metrics_port}


def test_consumers_ask_for_a_core_for_each_process(config):
    (consumers,) = (one for one in containers() if one["name"] == "consumers")
    assert int(consumers["resources"]["requests"]["cpu"]) == config.service.processes


def test_as_many_instances_run_as_the_configuration_says(config):
    (consumers,) = (
        one for one in of_kind("Deployment") if one["metadata"]["name"] == "order-entry-consumers"
    )
    assert consumers["spec"]["replicas"] == config.service.replicas


def test_the_configuration_is_the_production_example_but_for_the_processes_of_a_pod():
    example = yaml.safe_load((ROOT / "deploy" / "order-entry.example.yaml").read_text(encoding="utf-8"))
    here = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    assert here.pop("service").items() - example.pop("service").items() == {("processes", 2)}
    assert here == example


def test_a_pod_is_given_longer_to_end_than_a_drain_takes(config):
    drain = config.service.drain_timeout
    for deployment in of_kind("Deployment"):
        spec = pod(deployment)["spec"]
        held_up = sum(
            one.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            for one in spec["containers"]
        )
        assert spec["terminationGracePeriodSeconds"] >= held_up + drain + 5


def test_every_container_runs_a_command_that_there_is_as_nobody_in_a_file_system_it_cannot_write():
    for template in pods():
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        for container in template["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            command = container.get("command")
            assert command is None or (
                command[:2] == ["python", "manage.py"] and command[2] in get_commands()
            )


def test_a_retry_ends_before_the_next_begins():
    (retry,) = of_kind("CronJob")
    assert retry["spec"]["schedule"] == "*/5 * * * *"
    assert retry["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 300


def test_scaling_goes_by_a_figure_that_is_served_of_a_deployment_that_is_there(config):
    (scaled,) = of_kind("ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"] in {one["metadata"]["name"] for one in of_kind("Deployment")}
    assert spec["minReplicaCount"] == config.service.replicas <= spec["maxReplicaCount"]
    (trigger,) = spec["triggers"]
    queue = config.mq.consumer_queue
    assert trigger["metadata"]["query"] == f'max(queue_depth{{queue="{queue}"}})'
    assert "`queue_depth`" in (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
