"""What traces cost: `python -m benchmarks.traces_cost [--endpoint URL] [--orders 500] [--seconds 5]`.

Makes the spans of sampled orders at a steady rate, as a worker does, and prints the share of a core that took,
the exporter's thread included, as JSON. Without an endpoint no span is made.
"""
# ruff: noqa: T201 - it is a report

from __future__ import annotations

import argparse
import json
import os
import resource
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", help="of a collector, OTLP over HTTP")
    parser.add_argument("--orders", type=int, default=500, help="sampled orders a second")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    if options.endpoint:
        os.environ["ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT"] = options.endpoint
        os.environ["ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO"] = "1"
    _set_up()
    from orders import tracing

    _order(0)  # starts the exporter
    cpu, began, made = time.process_time(), time.monotonic(), 0
    while (passed := time.monotonic() - began) < options.seconds:
        for made in range(made + 1, int(passed * options.orders) + 1):  # noqa: B020 - counts on
            _order(made)
        time.sleep(0.02)
    share = 100 * (time.process_time() - cpu) / options.seconds
    tracing.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"orders": made, "core_percent": round(share, 2), "peak_mib": peak}))


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
    import django

    django.setup()


def _order(number: int) -> None:
    from orders import tracing

    arrived = time.monotonic()
    trace = tracing.arrived(None, name="Consume", at=arrived)
    if trace is None:
        return
    trace.ids = {"orderId": f"ORD-{number}", "messageId": f"m-{number}"}
    for name in ("SQL Write", "Aerospike Write", "SQL Write", "Aerospike Write"):
        tracing.record(name, [trace], arrived, {"db.system.name": "bench", "db.operation.name": "write"})
    for name in ("Router Call", "Publish"):
        if span := tracing.begin(name, trace, {"http.request.method": "POST"}):
            span.end({"http.response.status_code": 200})
    trace.finish("routed")


if __name__ == "__main__":
    main()
