import pytest

from benchmarks.order_path import options, page
from benchmarks.order_path.results import Machine, Results


def test_the_default_measures_the_order_path_and_writes_its_page():
    chosen = options.parse([])
    assert chosen.parts == ("throughput", "latency", "scaling")
    assert (chosen.rounds, chosen.rates, chosen.page, chosen.enforce) == (5, (200, 500, 1000), True, False)
    assert [contender.name for contender in chosen.contenders][:3] == ["service", "floor", "FastStream"]


def test_a_quick_run_or_one_of_some_contenders_leaves_the_page_alone():
    for arguments in (["--quick"], ["--contenders", "floor"], ["--no-page"]):
        assert not options.parse(arguments).page
    assert options.parse(["--only", "sweep"]).page


def test_a_part_of_what_a_section_shows_leaves_it_as_it_is(tmp_path):
    text = (page.DOCS / "performance.md").read_text(encoding="utf-8")
    (tmp_path / "performance.md").write_text(text, encoding="utf-8")
    assert page.write(Results(machine=Machine.this()), options.parse(["--only", "latency"]), tmp_path) == []
    assert (tmp_path / "performance.md").read_text(encoding="utf-8") == text


def test_memory_and_a_big_book_are_measured_alone_and_have_their_places_in_the_page():
    assert (options.parse(["--book", "5000000"]).parts, options.parse(["--book", "5000000"]).page) == (
        ("book",),
        True,
    )
    chosen = options.parse(["--memory", "200000"])
    assert (chosen.parts, chosen.history, chosen.page) == (("memory",), 200_000, True)


def test_parts_are_measured_in_one_order_whatever_the_order_of_their_names():
    assert options.parse(["--only", "scaling,throughput"]).parts == ("throughput", "scaling")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rounds", "0"], "expected a whole number above 0, got '0'"),
        (["--book", "many"], "expected a whole number above 0, got 'many'"),
        (["--only", "speed"], "no speed; expected some of throughput, latency"),
        (["--contenders", "floor,celery"], "no celery; expected some of service, floor, FastStream"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_was_expected(arguments, complaint, capsys):
    with pytest.raises(SystemExit):
        options.parse(arguments)
    assert complaint in capsys.readouterr().err
