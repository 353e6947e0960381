"""What deploy/ holds, read as its readers do."""

from functools import cache

import yaml

from tests.checkout import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def kustomizations():
    """Each folder of manifests with its kustomization."""
    for path in sorted(KUBERNETES.glob("*/kustomization.yaml")):
        yield path.parent, yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def resources():
    """Every object of the cluster, of all folders."""
    return [
        resource
        for folder, kustomization in kustomizations()
        for name in kustomization["resources"]
        if name.endswith(".yaml")
        for resource in yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))
    ]


def of_kind(*kinds):
    return [resource for resource in resources() if resource["kind"] in kinds]


def pod(resource):
    """The template of the pods that a Deployment, a Job or a CronJob makes; None for what makes none."""
    spec = resource.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template")


def pods():
    return [template for resource in resources() if (template := pod(resource))]


def containers():
    return [container for template in pods() for container in template["spec"]["containers"]]


def duration(text):
    assert text.endswith("s")
    return float(text[:-1])
