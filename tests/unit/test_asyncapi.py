"""docs/asyncapi.yaml says of the messages what the code does with them."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from order_entry_project.config import Mq
from orders import documents
from orders.invalid import InvalidOrder
from tests.checkout import ROOT
from tests.unit.orders.messages import ABSENT, decoded, order_body, order_fields

DOCUMENT = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
MESSAGES = DOCUMENT["components"]["messages"]


def says(name):
    """The validator of one of its schemas. JSON Schema draft 7, as AsyncAPI has it."""
    return Draft7Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


@pytest.mark.parametrize("name", MESSAGES)
def test_the_document_s_examples_are_what_it_says(name):
    for example in MESSAGES[name]["examples"]:
        says(name).validate(example["payload"])


def test_the_document_s_queues_are_the_configuration_s():
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses == {"validatedOrders": Mq().consumer_queue, "routedOrders": Mq().producer_queue}


def test_the_document_s_example_of_a_validated_order_becomes_its_example_of_a_routed_one():
    (arrived,), (left,) = (MESSAGES[name]["examples"] for name in ("validatedOrder", "routedOrder"))
    order = decoded(json.dumps(arrived["payload"]).encode())
    routed = documents.routed_message(
        order,
        route="NASDAQ-EXECUTION-1",
        routed_at=datetime(2026, 2, 14, 10, 30, 48, tzinfo=UTC),
        message_id="m-1",
    )
    assert json.loads(routed) == left["payload"]


@pytest.mark.parametrize("key", ["orderId", "symbol", "side", "quantity", "price"])
def test_what_the_document_requires_is_required(key):
    body = order_body(**{key: ABSENT})
    assert not says("validatedOrder").is_valid(json.loads(body))
    with pytest.raises(InvalidOrder):
        decoded(body)


@given(
    key=st.sampled_from([*order_fields(), "counterparty", "created_at", "desk"]),
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 10**13),
        st.decimals(-1, 10**13, places=3),
        st.text(max_size=70),
        st.sampled_from(["2026-02-14T10:30:45Z", "SELL", "A" * 33, [], {}]),
    ),
)
def test_what_is_taken_is_what_it_allows(key, value):
    body = order_body(**{key: value})
    try:
        order = decoded(body)
    except InvalidOrder:
        return
    says("validatedOrder").validate(json.loads(body))
    routed = documents.routed_message(order, route="X", routed_at=order.created_at, message_id="m")
    says("routedOrder").validate(json.loads(routed))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("orderId", "with space"),
        ("orderId", "x" * 65),
        ("symbol", ""),
        ("symbol", "x" * 33),
        ("side", "HOLD"),
        ("quantity", 0),
        ("price", Decimal(10) ** 12),
        ("price", "145.50"),
        ("counterparty", ""),
        ("counterparty", "x" * 65),
        ("created_at", 1771065045),
    ],
)
def test_what_the_document_forbids_is_refused(key, value):
    body = order_body(**{key: value})
    assert not says("validatedOrder").is_valid(json.loads(body))
    with pytest.raises(InvalidOrder):
        decoded(body)
