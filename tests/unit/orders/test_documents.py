import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orders.documents import (
    api_document,
    api_document_from_cache,
    encode_core,
    price_text,
    quantity_text,
    routed_message,
    router_body,
    status_document,
    time_text,
)
from orders.schema import ValidatedOrder
from tests.unit.orders.messages import decoded, order_body

CREATED = "2026-02-14T10:30:45Z"
SPEC_STATUS = """{
    "orderId": "ORD-20260214-001",
    "status": "PLACED",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 100,
    "price": 145.50,
    "route": null,
    "created_at": "2026-02-14T10:30:45Z",
    "updated_at": "2026-02-14T10:30:46Z"
}"""
SPEC_ANSWER = """{
  "orderId": "ORD-20260214-001",
  "status": "ROUTED",
  "symbol": "AAPL",
  "side": "BUY",
  "quantity": 100,
  "price": 145.50,
  "route": "NASDAQ-EXECUTION-1",
  "created_at": "2026-02-14T10:30:45Z",
  "routed_at": "2026-02-14T10:30:48Z"
}"""


def exact(text: str | bytes) -> list[tuple[str, object]]:
    """The pairs of a JSON object in their order, numbers as they are written."""
    pairs: list[tuple[str, object]] = json.loads(
        text, object_pairs_hook=list, parse_float=lambda n: ("number", n), parse_int=lambda n: ("number", n)
    )
    return pairs


def at(second: int, microsecond: int = 0) -> datetime:
    return datetime(2026, 2, 14, 10, 30, second, microsecond, tzinfo=UTC)


@pytest.fixture
def order() -> ValidatedOrder:
    return decoded(order_body(created_at=CREATED))


def test_the_status_document_is_the_specs_to_the_letter(order):
    document = status_document(order, status="PLACED", route=None, updated_at=at(46))
    assert exact(document) == exact(SPEC_STATUS)


def test_the_api_document_is_the_specs_to_the_letter(order):
    document = api_document(order, status="ROUTED", route="NASDAQ-EXECUTION-1", routed_at=at(48))
    assert exact(document) == exact(SPEC_ANSWER)


def test_the_api_document_has_null_for_what_has_not_happened(order):
    document = api_document(order, status="PLACED", route=None, routed_at=None)
    assert exact(document)[-3:] == [("route", None), ("created_at", CREATED), ("routed_at", None)]


def test_the_api_document_from_the_cache_is_the_same_text(order):
    cached = status_document(order, status="ROUTED", route="NASDAQ-EXECUTION-1", updated_at=at(50, 999999))
    assert api_document_from_cache(cached, time_text(at(48))) == api_document(
        order, status="ROUTED", route="NASDAQ-EXECUTION-1", routed_at=at(48)
    )
    cached = status_document(order, status="PLACED", route=None, updated_at=at(46))
    assert api_document_from_cache(cached, None) == api_document(
        order, status="PLACED", route=None, routed_at=None
    )


def test_a_route_that_looks_like_the_end_of_the_document_does_not_confuse_the_cache(order):
    route = '","updated_at":"'
    cached = status_document(order, status="ROUTED", route=route, updated_at=at(50))
    assert json.loads(api_document_from_cache(cached, None))["route"] == route


@pytest.mark.parametrize("value", ["", "{}", "null", '{"orderId":"A","updated_at": "x"}', '{"orderId":"A"}'])
def test_a_cached_value_of_another_form_is_refused(value):
    with pytest.raises(ValueError, match="not a status document"):
        api_document_from_cache(value, None)


def test_the_router_gets_the_immutable_fields_and_the_unknown_ones():
    order = decoded(order_body(created_at=CREATED, counterparty="BROKER-7", note={"n": Decimal("1.50")}))
    assert router_body(order) == (
        b'{"orderId":"ORD-20260214-001","symbol":"AAPL","side":"BUY","quantity":100,"price":145.50,'
        b'"counterparty":"BROKER-7","created_at":"2026-02-14T10:30:45Z","extra":{"note":{"n":1.50}}}'
    )


def test_an_absent_counterparty_is_null_to_the_router(order):
    assert exact(router_body(order))[-3:] == [("counterparty", None), ("created_at", CREATED), ("extra", [])]


def test_the_routed_message_has_every_field_and_where_it_came_from(order):
    message = routed_message(order, route="NASDAQ-EXECUTION-1", routed_at=at(48, 5000), message_id="m-1")
    assert message == (
        b'{"orderId":"ORD-20260214-001","status":"ROUTED","symbol":"AAPL","side":"BUY","quantity":100,'
        b'"price":145.50,"counterparty":null,"route":"NASDAQ-EXECUTION-1","created_at":"2026-02-14T10:30:45Z",'
        b'"routed_at":"2026-02-14T10:30:48.005Z","extra":{},"messageId":"m-1"}'
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_whatever_a_text_holds_the_documents_are_json_in_utf_8(route, message_id):
    order = decoded(order_body(symbol='日"\\/😀', counterparty="\\u0041"))
    message = json.loads(routed_message(order, route=route, routed_at=at(48), message_id=message_id).decode())
    assert (message["route"], message["messageId"]) == (route, message_id)
    assert (message["symbol"], message["counterparty"]) == ('日"\\/😀', "\\u0041")
    assert '日\\"'.encode() in router_body(order)


@pytest.mark.parametrize(
    ("number", "price", "quantity"),
    [
        ("145.5", "145.50", "145.5"),
        ("145.50000000", "145.50", "145.5"),
        ("420", "420.00", "420"),
        ("420.00000000", "420.00", "420"),
        ("0.12345", "0.12345", "0.12345"),
        ("1E-8", "0.00000001", "0.00000001"),
        ("1.0E-7", "0.0000001", "0.0000001"),
        ("1E+2", "100.00", "100"),
        ("100", "100.00", "100"),
        ("999999999999.99999999", "999999999999.99999999", "999999999999.99999999"),
        ("100000000000.00000000", "100000000000.00", "100000000000"),
    ],
)
def test_a_number_is_written_by_value(number, price, quantity):
    assert price_text(Decimal(number)) == price
    assert quantity_text(Decimal(number)) == quantity


@pytest.mark.parametrize(
    ("microsecond", "fraction"),
    [(0, ""), (1, ""), (999, ""), (1000, ".001"), (123456, ".123"), (500000, ".500"), (999999, ".999")],
)
def test_a_time_has_milliseconds_unless_they_are_zero(microsecond, fraction):
    assert time_text(at(45, microsecond)) == f"2026-02-14T10:30:45{fraction}Z"


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=5, minutes=30)), ZoneInfo("UTC")])  # noqa: UP017 - by its other name
def test_a_time_of_any_zone_is_written_in_utc(zone):
    assert time_text(at(45, 500000).astimezone(zone)) == "2026-02-14T10:30:45.500Z"


def test_a_time_without_a_zone_is_an_error_and_not_taken_for_local():
    with pytest.raises(ValueError, match="without its zone"):
        time_text(datetime(2026, 2, 14))  # noqa: DTZ001 - what is tested


@settings(deadline=None)
@given(
    st.decimals("0.00000001", "999999999999.99999999", places=8),
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1)),  # noqa: DTZ001 - the zone is added below
    st.integers(-14, 14),
)
def test_documents_are_the_same_bytes_from_the_wire_and_from_sql(number, moment, hours):
    created_at = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    wire = decoded(order_body(price=number.normalize(), quantity=number, created_at=created_at.isoformat()))
    sql = replace(
        wire,
        price=number.quantize(Decimal("1.00000000")),
        quantity=number.quantize(Decimal("1.00000000")),
        created_at=wire.created_at.astimezone(ZoneInfo("America/New_York")),
    )
    assert router_body(wire) == router_body(sql)
    assert Decimal(price_text(number)) == Decimal(quantity_text(number)) == number


def test_documents_of_an_order_and_of_its_fragments_are_the_same(order):
    core = encode_core(order)
    assert router_body(core) == router_body(order)
    for make in (
        lambda it: status_document(it, status="ROUTED", route="R", updated_at=at(50)),
        lambda it: api_document(it, status="ROUTED", route="R", routed_at=at(50)),
        lambda it: routed_message(it, route="R", routed_at=at(50), message_id="m"),
    ):
        assert make(core) == make(order)


def test_an_order_is_the_same_when_its_router_body_is_read_back(order):
    fields = json.loads(router_body(order), parse_float=Decimal)
    assert fields.pop("extra") == {}
    assert decoded(order_body(**fields)) == order
