import pytest

from benchmarks.order_path.arithmetic import Spread, cores, growth, most_per_second, percentile, spread


def test_a_spread_is_the_median_between_the_least_and_the_greatest():
    assert spread([5.0, 1.0, 9.0, 2.0, 3.0]) == Spread(3.0, 1.0, 9.0)
    assert spread([4.0, 2.0]) == Spread(3.0, 2.0, 4.0)


def test_of_no_figures_there_is_no_spread():
    with pytest.raises(ValueError, match="no median"):
        spread([])


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 50), (0.99, 99), (0.999, 100), (0.991, 100), (0.01, 1), (0.001, 1), (1, 100)],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(share, expected):
    assert percentile([*range(100, 50, -1), *range(1, 51)], share) == expected


def test_a_percentile_of_one_value_is_that_value():
    assert percentile([7.0], 0.5) == percentile([7.0], 0.999) == 7.0


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_or_of_an_impossible_share_is_refused(values, share):
    with pytest.raises(ValueError, match="expected values and a share"):
        percentile(values, share)


def test_ten_thousand_orders_of_a_tenth_of_a_millisecond_keep_one_core_busy():
    assert cores(100, per_second=10_000) == 1.0
    assert cores(350, per_second=10_000) == 3.5


def test_growth_compares_the_end_with_the_time_after_warming_up():
    assert growth([50, 90, 100, 100, 100, 100, 110, 110]) == 1.1
    assert growth([10, 60, 100, 100, 100, 100, 100, 100]) == 1.0


def test_growth_of_a_short_series_is_refused():
    with pytest.raises(ValueError, match="at least eight"):
        growth([100.0] * 7)


def test_a_process_uses_one_core_at_most_and_shares_the_machine_with_its_stack():
    # 250 µs of its own: 4,000 a second fill its core, and with 250 µs of the stack two cores just do it.
    assert most_per_second(250, 250, processes=1, cores=2) == 4000
    assert most_per_second(250, 250, processes=2, cores=2) == 4000
    assert most_per_second(250, 250, processes=2, cores=4) == 8000
    assert most_per_second(100, 900, processes=1, cores=2) == 2000
