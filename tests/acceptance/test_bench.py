"""`make bench` in short: it runs, and its figures are those of its runs. How large they are says nothing here."""

import json
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.checkout import ROOT
from tests.processes import await_no_process_of
from tests.servers.asking import needed
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

IN_MEMORY = "/dev/shm"  # noqa: S108 - nothing is written there
PARTS = ("consumer", "PostgreSQL", "broker", "Redis", "router")


@pytest.fixture(scope="module")
def folder():
    """On a disk, where fsync costs what it costs; the bench needs these programs."""
    for program, package in (("nginx", "nginx-light"), ("rabbitmq-server", "rabbitmq-server")):
        needed(program, package=package)
    with TemporaryDirectory(dir="/var/tmp") as path:
        yield Path(path)


def bench(folder, *arguments):
    return [sys.executable, "-m", "benchmarks.order_path", "--quick", "--folder", str(folder), *arguments]


@pytest.fixture(scope="module")
def run(folder):
    file = folder / "result.json"
    parts = "throughput,latency,scaling,memory,book"
    contenders = "service,floor,FastStream"
    done = subprocess.run(
        bench(folder, "--only", parts, "--contenders", contenders, "--json", str(file)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(file.read_text())


def chosen(result, **wanted):
    return [run for run in result["throughput"] if all(run[key] == value for key, value in wanted.items())]


def test_every_contender_has_run_with_each_batch_size_and_the_service_and_its_floor_with_two_processes(run):
    _, result = run
    ran = {(run["contender"], run["batch_size"], run["processes"]) for run in result["throughput"]}
    expected = {(name, size, 1) for name in ("service", "floor") for size in (10, 200)}
    expected |= {(name, 200, 2) for name in ("service", "floor")}
    assert ran == expected | {("FastStream", None, 1)}


def test_each_run_has_the_cpu_of_every_part_and_plausible_statements(run):
    _, result = run
    for run_ in result["throughput"]:
        assert set(run_["cpu_us"]) == set(PARTS)
        assert run_["cpu_us"]["consumer"] > 30
        assert run_["cpu_us"]["broker"] > 10
    # One statement places a batch, which never is larger than it may be; what ends meanwhile is settled together.
    for name in ("service", "floor"):
        for size in (10, 200):
            for run_ in chosen(result, contender=name, batch_size=size):
                assert run_["statements"] >= 1 / size
        (ten,) = chosen(result, contender=name, batch_size=10)
        assert ten["statements"] < 1
    assert all(run_["statements"] >= 9 for run_ in chosen(result, contender="FastStream"))


def test_every_order_that_was_sent_at_a_rate_or_alone_was_timed(run):
    _, result = run
    timed = {(each["contender"], each["rate"]): each for each in result["latency"]}
    for name in ("service", "floor"):
        assert len(timed[name, 0]["milliseconds"]) == timed[name, 0]["orders"] == 20
        assert len(timed[name, 200]["milliseconds"]) == timed[name, 200]["orders"] == 400
        assert min(timed[name, 200]["milliseconds"]) > 0


def test_the_goals_are_reckoned_from_the_runs(run):
    shown, result = run
    goals = {(goal["name"], goal["wanted"]): goal for goal in result["goals"]}
    ours, floor = (
        statistics.median(
            run_["cpu_us"]["consumer"]
            for run_ in chosen(result, contender=name, batch_size=200, processes=1, book=0)
        )
        for name in ("service", "floor")
    )
    cpu = goals["consumer CPU per order", "≤ 1.6 × the floor's"]
    assert cpu["found"].startswith(f"{ours / floor:.2f} × ")
    assert cpu["met"] == (ours <= 1.6 * floor)
    assert cpu["found"] in shown
    lone = statistics.median_low(
        next(each for each in result["latency"] if each["contender"] == "service")["milliseconds"]
    )
    assert goals["one order alone, median", "≤ 8 ms"]["found"] == f"{lone:.1f} ms"
    assert all(goal["met"] is not None for goal in result["goals"])


def test_memory_and_a_big_book_were_measured(run):
    _, result = run
    memory = {each["contender"]: each for each in result["memory"]}
    assert len(memory["service"]["mib"]) == 20
    assert memory["service"]["mib"][-1] > 30
    assert {run_["book"] for run_ in chosen(result, contender="service", batch_size=200)} == {0, 20_000}


def test_nothing_is_left_of_it(run, folder):
    del run
    assert list(folder.glob("oe-bench-*")) == []
    await_no_process_of(str(folder / "oe-bench-"))


def test_nothing_is_left_of_one_that_was_killed(folder):
    with subprocess.Popen(
        bench(folder, "--only", "throughput"), cwd=ROOT, stdout=subprocess.DEVNULL
    ) as started:
        wait_until(lambda: list(folder.glob("oe-bench-*/logs/*.out")), what="a contender is started")
        started.send_signal(signal.SIGKILL)
    await_no_process_of(str(folder / "oe-bench-"))
    wait_until(lambda: not list(folder.glob("oe-bench-*")), what="its folder is removed")


def test_a_folder_in_memory_is_refused():
    done = subprocess.run(bench(IN_MEMORY), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{IN_MEMORY} is a tmpfs: nothing there survives, so fsync costs nothing" in done.stderr
