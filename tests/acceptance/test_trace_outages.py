"""What a collector that fails costs a process that makes spans, beside one that works."""

import json
import os
import subprocess
import sys

import pytest

from tests.checkout import ROOT
from tests.otlp import Collector, collector

OUTAGES = {
    "refused": Collector.refuse,
    "hanging": Collector.hang,
    "turned away": lambda sink: sink.answer(503, Retry_After="5"),
    "an error": lambda sink: sink.answer(500),
}


def cost(befalls=lambda _: None):
    env = {name: value for name, value in os.environ.items() if not name.startswith("ORDER_ENTRY")}
    with collector() as sink:
        befalls(sink)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.traces_cost", "--endpoint", sink.url, "--seconds", "6"],
            env=env | {"ORDER_ENTRY_CONFIG": ""},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def working():
    return cost()


@pytest.mark.long
@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_costs_five_percent_of_a_core_at_most_and_bounded_memory(working, outage):
    failing = cost(OUTAGES[outage])
    assert failing["core_percent"] <= working["core_percent"] + 5
    assert failing["peak_mib"] <= working["peak_mib"] + 32
