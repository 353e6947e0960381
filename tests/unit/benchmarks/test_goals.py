from benchmarks.order_path.goals import goals, missed
from tests.unit.benchmarks.runs import latency, memory, results, throughput


def found(made):
    """Of each goal that was measured: whether it is met."""
    return {(goal.name, goal.wanted): goal.met for goal in goals(made) if goal.met is not None}


def test_of_nothing_measured_no_goal_is_met_or_missed():
    assert [goal.found for goal in goals(results())] == ["not measured"] * 7
    assert list(missed(goals(results()))) == []


def test_the_consumers_cpu_is_held_against_the_floors():
    just = results(throughput("service", consumer=160), throughput("floor", consumer=100))
    above = results(throughput("service", consumer=161), throughput("floor", consumer=100))
    assert found(just)["consumer CPU per order", "≤ 1.6 × the floor's"]
    assert not found(above)["consumer CPU per order", "≤ 1.6 × the floor's"]


def test_a_goal_is_about_the_medians_of_the_tuned_runs_of_one_process():
    made = results(
        *(throughput("service", consumer=us) for us in (150, 900, 140)),
        throughput("service", consumer=9000, batch_size=10),
        throughput("service", consumer=9000, processes=2),
        throughput("service", consumer=9000, book=1_000_000),
        throughput("floor", consumer=100),
    )
    (cpu,) = (goal for goal in goals(made) if goal.name == "consumer CPU per order")
    assert cpu.found == "1.50 × (150 µs, 100 µs)"


def test_speed_is_held_against_the_floors_and_faststreams():
    made = results(
        throughput("service", per_second=2000),
        throughput("floor", per_second=2800),
        throughput("FastStream", per_second=340, batch_size=None),
    )
    assert found(made)["orders/s", "≥ 0.7 × the floor's"]
    assert not found(made)["orders/s", "≥ 6 × FastStream's"]


def test_latency_may_be_15_ms_or_twice_the_floors():
    wanted = "p99 at 200 orders/s", "≤ 15 ms or 2 × the floor's"
    assert found(results(latency("service", [15.0]), latency("floor", [2.0])))[wanted]
    assert not found(results(latency("service", [15.1]), latency("floor", [2.0])))[wanted]
    assert found(results(latency("service", [39.9]), latency("floor", [20.0])))[wanted]


def test_a_lone_order_is_timed_apart_from_the_steady_ones():
    made = results(latency("service", [7.0, 8.0, 50.0], rate=0), latency("service", [500.0], rate=200))
    assert found(made) == {("one order alone, median", "≤ 8 ms"): True}


def test_a_big_book_is_held_against_the_empty_one():
    made = results(
        throughput("service", per_second=890, book=5_000_000), throughput("service", per_second=1000, book=0)
    )
    assert not found(made)["orders/s with a big book", "≥ 0.9 × those with an empty one"]


def test_memory_that_grows_after_warming_up_misses_its_goal():
    name = "resident memory", "flat: ≤ 1.05 × from the second quarter of a long run to the last"
    assert found(results(memory("service", [80.0, 95.0, *[100.0] * 6])))[name]
    grown = results(memory("service", [100.0 + 2 * step for step in range(20)]))
    assert not found(grown)[name]
    assert [goal.name for goal in missed(goals(grown))] == ["resident memory"]
