"""Results of a benchmark, made up."""

from datetime import UTC, datetime

from benchmarks.order_path.results import Latency, Machine, Memory, Results, Throughput

MACHINE = Machine(
    cores=2,
    processor="a processor",
    python="3.11.2",
    version="1.0",
    measured_at=datetime(2026, 2, 14, tzinfo=UTC),
)


def throughput(contender, *, per_second=1000.0, consumer=100.0, batch_size=200, processes=1, book=0):
    return Throughput(
        contender=contender,
        batch_size=batch_size,
        in_flight=64,
        processes=processes,
        book=book,
        orders=5000,
        seconds=5000 / per_second,
        cpu_us={"consumer": consumer, "PostgreSQL": 80.0, "broker": 60.0, "Redis": 15.0, "router": 5.0},
        statements=0.05,
        start_mib=100.0,
        end_mib=101.0,
    )


def latency(contender, milliseconds, *, rate=200):
    return Latency(contender=contender, rate=rate, orders=len(milliseconds), milliseconds=milliseconds)


def memory(contender, mib):
    return Memory(contender=contender, orders=10_000, mib=mib)


def results(*runs):
    made = Results(machine=MACHINE)
    for run in runs:
        kind = {Throughput: made.throughput, Latency: made.latency, Memory: made.memory}[type(run)]
        kind.append(run)
    return made
