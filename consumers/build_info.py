"""Which build runs, as a metric: `order_entry_build_info{version=…, commit=…} 1`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class BuildInfo(Collector):
    """Of the one who serves the metrics, not of each process: it stays 1 however many there are."""

    def __init__(self, facts: Callable[[], dict[str, str]]) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "order_entry_build", "Version of the service and what it runs on", self._facts()
        )
