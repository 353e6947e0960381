"""Spans of time as people write and read them."""

from datetime import timedelta

import pytest

from orders.durations import duration_text, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("5m", 300),
        ("1.5 h", 5400),
        ("30d", 2_592_000),
        ("45", 45),
        (" 0.5 ", 0.5),
    ],
)
def test_a_span_is_a_number_and_its_unit(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1s", "5 minutes", "1e3", "5m 3s", "٣m٣", "inf"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ValueError, match="expected a duration such as"):
        seconds(text)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(milliseconds=900), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=245), "4:05"),
        (timedelta(hours=2, seconds=7), "2:00:07"),
        (timedelta(days=1, hours=2), "1 day 2:00:00"),
        (timedelta(days=40, seconds=1), "40 days 0:00:01"),
    ],
)
def test_a_span_is_shown_as_a_clock_would(span, expected):
    assert duration_text(span) == expected
