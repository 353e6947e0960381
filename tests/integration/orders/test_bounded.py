"""Questions that may take only so long, and nothing else that is asked beside them."""

import pytest
from django.db import connection, transaction

from orders import bounded

pytestmark = pytest.mark.django_db


def limit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def test_what_takes_longer_is_given_up():
    with pytest.raises(bounded.TooSlow), transaction.atomic():
        bounded.rows("SELECT pg_sleep(5)", {}, milliseconds=20)


def test_what_is_asked_later_in_the_same_transaction_may_take_its_time():
    before = limit()
    with bounded.bounded(1234):
        assert limit() == "1234ms"
    assert limit() == before
    with pytest.raises(ZeroDivisionError), bounded.bounded(1234):
        raise ZeroDivisionError
    assert limit() == before
