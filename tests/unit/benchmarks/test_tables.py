import pytest

from benchmarks.order_path import tables
from benchmarks.order_path.arithmetic import Spread
from benchmarks.order_path.markdown import markdown, replaced
from benchmarks.order_path.tables import Table
from tests.unit.benchmarks.runs import latency, results, throughput


def test_a_figure_shows_its_range_where_there_is_one():
    assert tables.shown(Spread(2.4, 1.2, 3.6)) == "2 (1 – 4)"
    assert tables.shown(Spread(2.44, 1.2, 3.6), digits=1) == "2.4 (1.2 – 3.6)"
    assert tables.shown(Spread(2.4, 2.4, 2.4)) == "2"


def test_ten_thousand_orders_a_second_are_reckoned_as_cores_of_each_part_and_of_all():
    made = results(
        *(throughput("service", consumer=us) for us in (240, 250, 300)), throughput("floor", batch_size=10)
    )
    assert tables.reckoning(made) == Table(
        "Cores that 10,000 orders/s take",
        ("", "service"),
        [
            ("consumer", "2.50"),
            ("PostgreSQL", "0.80"),
            ("broker", "0.60"),
            ("Redis", "0.15"),
            ("router", "0.05"),
            ("together", "4.10"),
        ],
    )


def test_each_batch_size_has_its_row_and_runs_of_two_processes_are_apart():
    made = results(
        throughput("service", batch_size=10),
        throughput("service", batch_size=200),
        throughput("service", batch_size=200, processes=2, per_second=1500),
        throughput("FastStream", batch_size=None),
    )
    rows = tables.throughput(made).rows
    assert [row[:3] for row in rows] == [
        ("service", "10", "1000"),
        ("service", "200", "1000"),
        ("FastStream", "–", "1000"),
    ]
    assert tables.scaling(made).rows == [
        ("service", "1000", "1500", "1.50 ×", "1.00 × (7692/s, 7692/s)"),
    ]


def test_percentiles_are_of_each_round_and_their_median_is_shown():
    made = results(latency("floor", [1.0] * 98 + [8.0, 9.0]), latency("floor", [1.0] * 98 + [4.0, 5.0]))
    assert tables.latency(made).rows == [("floor", "200", "1.0", "6.0 (4.0 – 8.0)", "7.0 (5.0 – 9.0)")]


def test_who_does_not_keep_up_has_no_latency():
    queueing = latency("FastStream", [float(20 * number) for number in range(100)])
    assert tables.latency(results(queueing)).rows == [("FastStream", "200", *["falls behind"] * 3)]


def test_a_table_becomes_markdown_with_figures_to_the_right():
    table = Table("Title", ("", "ms"), [("floor", "1.0")])
    assert markdown(table) == "**Title**\n\n|  | ms |\n| --- | ---: |\n| floor | 1.0 |"


def test_a_section_is_replaced_between_its_markers_and_nothing_else():
    page = "before\n<!-- bench: book -->\nold\n<!-- end of book -->\nafter\n"
    refreshed = "before\n<!-- bench: book -->\nnew \\1\n<!-- end of book -->\nafter\n"
    assert replaced(page, "book", "new \\1\n") == refreshed


@pytest.mark.parametrize("page", ["", "<!-- bench: book -->", "<!-- bench: book --><!-- end of book -->" * 2])
def test_a_page_without_the_markers_once_each_is_refused(page):
    with pytest.raises(ValueError, match="once each"):
        replaced(page, "book", "new")
