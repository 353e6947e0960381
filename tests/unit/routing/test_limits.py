"""What exceeds a limit, and how it is said."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from order_entry_project import config
from routing.limits import Limits
from tests.builders import order

HUNDRED = Decimal(100)


def test_without_limits_nothing_is_too_much():
    assert Limits().any is False
    assert Limits().exceeded(order(quantity=999_999_999_999, price=0.00000001), HUNDRED) == ""


@pytest.mark.parametrize(
    ("limits", "fields", "said"),
    [
        (
            Limits(max_quantity=HUNDRED),
            {"quantity": 150},
            "its quantity 150 is 150.0% of limits.max_quantity 100",
        ),
        (
            Limits(max_notional=Decimal(1000)),
            {"quantity": 12.5, "price": 100},
            "its quantity times price 1250.00 is 125.0% of limits.max_notional 1000.00",
        ),
        (
            Limits(max_price_move=Decimal(10)),
            {"price": 111},
            "its price 111.00 is 11.0% away from 100.00, the last of AAPL; limits.max_price_move is 10 %",
        ),
        (
            Limits(max_price_move=Decimal("0.5")),
            {"price": 99.4},
            "its price 99.40 is 0.6% away from 100.00, the last of AAPL; limits.max_price_move is 0.5 %",
        ),
    ],
)
def test_what_exceeds_a_limit_is_named_with_by_how_much(limits, fields, said):
    assert limits.any
    assert limits.exceeded(order(**fields), HUNDRED) == said


@pytest.mark.parametrize("fields", [{"quantity": 100, "price": 110}, {"quantity": 100, "price": 90}])
def test_what_just_reaches_a_limit_is_within_it(fields):
    limits = Limits(max_quantity=HUNDRED, max_notional=Decimal(11_000), max_price_move=Decimal(10))
    assert limits.exceeded(order(**fields), HUNDRED) == ""


def test_where_there_is_no_last_price_none_is_too_far_away():
    assert Limits(max_price_move=Decimal(1)).exceeded(order(price=5000), None) == ""


def test_all_that_is_exceeded_is_said():
    limits = Limits(max_quantity=HUNDRED, max_notional=HUNDRED, max_price_move=Decimal(10))
    said = limits.exceeded(order(quantity=200, price=200), HUNDRED)
    assert [part.split(" ")[1] for part in said.split("; ") if part.startswith("its")] == [
        "quantity",
        "quantity",
        "price",
    ]


def test_limits_are_as_configured_and_off_by_default():
    assert not Limits(**config.Limits().model_dump()).any
    set_so = config.Limits.model_validate({"max_quantity": 0.1, "max_notional": "1e6", "max_price_move": 5})
    assert Limits(**set_so.model_dump()) == Limits(Decimal("0.1"), Decimal(1_000_000), Decimal(5))


@pytest.mark.parametrize("value", [0, -1, "inf", "nan", "much"])
def test_a_limit_is_a_number_above_0(value):
    with pytest.raises(ValidationError):
        config.Limits.model_validate({"max_quantity": value})
