"""The files in which processes show their metrics, put together."""

import fcntl
import os
import subprocess

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers import snapshots
from consumers.snapshots import Snapshots

ALIVE = (os.getpid(), os.getppid(), 1)


@pytest.fixture
def kept(tmp_path):
    return Snapshots(tmp_path)


@pytest.fixture
def declared(monkeypatch):
    """Gauges as this code declares them, each for several processes in its own way."""
    registry = CollectorRegistry()
    Gauge("in_flight", "", registry=registry, multiprocess_mode="livesum")
    Gauge("breaker", "", registry=registry, multiprocess_mode="livemax")
    Gauge("earliest", "", registry=registry, multiprocess_mode="livemin")
    monkeypatch.setattr(snapshots, "REGISTRY", registry)


def write(folder, pid, **gauges):
    registry = CollectorRegistry()
    Counter("orders", "", ["queue"], registry=registry).labels("IN").inc(10)
    Histogram("latency", "", buckets=[1, 2], registry=registry).observe(1.5)
    for name, value in gauges.items():
        Gauge(name, "", registry=registry).set(value)
    Snapshots(folder)._write(str(pid), registry)


def gone():
    """The id of a process that was."""
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def samples(kept):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in kept.collect()
        for sample in family.samples
    }


def test_counts_add_up_and_gauges_are_put_together_as_they_declare(kept, tmp_path, declared):
    for pid, value in zip(ALIVE, (3, 5, 4), strict=True):
        write(tmp_path, pid, in_flight=value, breaker=value, earliest=value, undeclared=value)
    seen = samples(kept)
    assert seen["orders_total", "IN"] == 30
    assert (seen["latency_bucket", "1.0"], seen["latency_bucket", "2.0"], seen["latency_sum",]) == (0, 3, 4.5)
    assert [seen[name,] for name in ("in_flight", "breaker", "earliest", "undeclared")] == [12, 5, 3, 12]


def test_what_is_gone_still_counts_and_no_longer_gauges(kept, tmp_path, declared):
    write(tmp_path, ALIVE[0], in_flight=1)
    write(tmp_path, gone(), in_flight=7)
    seen = samples(kept)
    assert (seen["orders_total", "IN"], seen["in_flight",]) == (20, 1)


def test_however_many_have_gone_one_file_remembers_them(kept, tmp_path, declared):
    write(tmp_path, ALIVE[0], in_flight=1)
    for round_ in range(1, 4):
        for _ in range(5):
            write(tmp_path, gone(), in_flight=7)
        before = samples(kept)
        kept.tidy()
        assert samples(kept) == before
        assert before["orders_total", "IN"] == 10 + 50 * round_
        assert {path.name for path in tmp_path.glob("*.metrics")} == {f"{ALIVE[0]}.metrics", "gone.metrics"}


def test_tidying_waits_for_no_reader_and_is_done_the_next_time(kept, tmp_path):
    write(tmp_path, gone())
    with (tmp_path / "lock").open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        kept.tidy()
        assert not (tmp_path / "gone.metrics").exists()
    kept.tidy()
    assert samples(kept)["orders_total", "IN"] == 10
    assert [path.name for path in tmp_path.glob("*.metrics")] == ["gone.metrics"]


def test_the_supervisor_is_no_worker(kept):
    registry = CollectorRegistry()
    Counter("worker_restarts", "", registry=registry).inc(2)
    kept.write_supervisors(registry)
    assert kept.fresh(60) == 0
    kept.write()
    assert kept.fresh(60) == 1
    assert kept.silence(os.getpid()) < 60
    assert samples(kept)["worker_restarts_total",] == 2


def test_every_gauge_of_the_service_says_how_several_processes_values_become_one():
    """Else each process of a web server would have series of its own, for ever."""
    import order_entry_project.metrics  # noqa: F401 - declares what it serves

    modes = {
        name: gauge._multiprocess_mode
        for name, gauge in snapshots.REGISTRY._names_to_collectors.items()
        if isinstance(gauge, Gauge)
    }
    assert modes
    assert not [name for name, mode in modes.items() if mode.endswith("all")]
