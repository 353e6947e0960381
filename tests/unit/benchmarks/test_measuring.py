import subprocess
import sys

import pytest

from benchmarks.order_path import measuring

# Two generations: a child that has ended, and one that waits with 40 MB.
SPENDS = """
import subprocess, sys, time
busy = "import time\\nwhile time.process_time() < 0.2: pass"
subprocess.run([sys.executable, "-c", busy], check=True)
held = "import sys; kept = bytearray(b'x') * 40_000_000; print('held', flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE)
sys.stdin.read()
"""


@pytest.fixture
def process():
    with subprocess.Popen(
        [sys.executable, "-c", SPENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout.readline() == "held\n"
        yield started
        started.stdin.close()


def test_cpu_is_that_of_a_process_and_of_all_it_started_be_they_ended_or_not(process):
    used = measuring.cpu_seconds(process.pid)
    assert 0.2 <= used < 5
    assert measuring.cpu_seconds(process.pid) == pytest.approx(used, abs=0.05)


def test_memory_is_that_of_a_process_and_all_it_started(process):
    assert len(measuring.tree(process.pid)) == 2
    assert 45 < measuring.resident_mib(process.pid) < 100


def test_a_process_that_has_ended_is_no_figure(process):
    process.stdin.close()
    process.wait(10)
    with pytest.raises(ProcessLookupError, match=f"process {process.pid} has ended"):
        measuring.cpu_seconds(process.pid)
