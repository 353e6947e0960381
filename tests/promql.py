"""Reading PromQL as far as tests of dashboards and rules need it: which series an expression is about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.checkout import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "order-entry.json"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"

_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


def dashboard() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panels() -> Iterator[dict[str, Any]]:
    """Those that show something."""
    return (panel for panel in dashboard()["panels"] if panel["type"] != "row")


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def as_grafana_asks(expression: str) -> str:
    """With its variables as they are when a page is opened, at a scrape a second."""
    return expression.replace("$__rate_interval", "15s").replace("$instance", ".*")


def selectors(expression: str) -> set[str]:
    """The metric names with their label matchers."""
    bare = _GROUPING.sub("", expression)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    return {f"{name}{matchers}" for name, matchers in _SELECTOR.findall(bare) if name not in _WORDS}


def name_of(selector: str) -> str:
    return selector.partition("{")[0]
