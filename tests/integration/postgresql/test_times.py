"""Times out of PostgreSQL, which are read in a way of our own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.django_db

# Without a day that is another year's elsewhere.
_moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it wants them
_read_at = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Africa/Monrovia"])


def read(text: str, *, zone: str = "UTC", style: str = "ISO, MDY") -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('TimeZone', %s, true), set_config('DateStyle', %s, true)", [zone, style]
        )
        cursor.execute("SELECT %s::text::timestamptz", [text])
        found: datetime = cursor.fetchone()[0]
        return found


@settings(max_examples=50, deadline=None)
@given(moment=_moments, zone=_read_at)
def test_any_time_is_read_as_it_was_written_and_in_utc(moment, zone):
    found = read(moment.isoformat(), zone=zone)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_a_session_of_another_style_gets_the_error_that_it_gets_from_psycopg(style):
    with pytest.raises(NotImplementedError, match="DateStyle"):
        read("2026-02-14T10:30:45Z", style=style)


@pytest.mark.parametrize("text", ["infinity", "-infinity", "10000-01-01", "0044-03-15 BC"])
def test_what_python_has_no_time_for_is_an_error_that_names_it(text):
    with pytest.raises(DataError, match="timestamp too"):
        read(text)
