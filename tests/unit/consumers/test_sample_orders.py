from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers import token
from consumers.sample_faults import FAULTS
from consumers.sample_orders import BLOCK, Mix, Samples
from consumers.transport import Message
from orders.schema import InvalidOrder, ValidatedOrder, decode

NOW = datetime(2026, 2, 14, tzinfo=UTC)


def drawn(count: int, mix: Mix | None = None, **run: object) -> tuple[list[Message], Samples]:
    samples = Samples(mix or Mix(), **run)
    return list(samples.messages(count)), samples


def read(message: Message) -> ValidatedOrder | None:
    try:
        return decode(message.body, message.content_type, NOW)
    except InvalidOrder:
        return None


@given(
    count=st.integers(1, 400),
    duplicates=st.floats(0, 0.5),
    broken=st.floats(0, 0.4),
    seed=st.integers(),
)
def test_the_shares_are_exact_and_a_duplicate_follows_its_original(
    count: int, duplicates: float, broken: float, seed: int
):
    repeated, refused = round(count * duplicates), round(count * broken)
    assume(count - repeated - refused >= bool(repeated))  # what is repeated has come before
    messages, samples = drawn(count, Mix(duplicates, broken), seed=seed)
    assert len(messages) == count
    seen: set[bytes] = set()
    found: Counter[str] = Counter()
    for message in messages:
        if read(message) is None:
            found["broken"] += 1
        elif message.body in seen:
            found["duplicate"] += 1
        else:
            found["order"] += 1
            seen.add(message.body)
    assert found["duplicate"] == repeated
    assert found["broken"] == refused
    assert found == Counter(samples.counts)


def test_a_duplicate_is_the_same_message_again():
    messages, _ = drawn(300, Mix(0.3, 0))
    first = {}
    for message in messages:
        assert first.setdefault(message.message_id, message) == message
    assert len(first) == 210


def test_orders_and_broken_messages_have_ids_of_their_own():
    messages, _ = drawn(500, Mix(0, 0.2))
    assert len({message.message_id for message in messages}) == 500
    orders = [order for order in map(read, messages) if order]
    assert len({order.order_id for order in orders}) == 400


def test_two_runs_do_not_collide():
    one, other = ({message.message_id for message in drawn(100)[0]} for _ in range(2))
    assert not one & other


def test_a_seed_makes_a_run_repeatable_to_the_byte():
    assert drawn(300, Mix(avro=0.5), seed=7)[0] == drawn(300, Mix(avro=0.5), seed=7)[0]
    assert drawn(300, seed=7)[0] != drawn(300, seed=8)[0]


def test_a_prefix_begins_each_order_id():
    messages, _ = drawn(50, Mix(broken=0), prefix="DESK:")
    assert all(read(message).order_id.startswith("DESK:") for message in messages)


def test_avro_and_json_orders_come_in_the_share_asked_for():
    messages, _ = drawn(1000, Mix(0, 0, avro=0.4), seed=1)
    types = Counter(message.content_type for message in messages)
    assert 300 < types["avro/binary"] < 500
    assert types["avro/binary"] + types["application/json"] == 1000
    assert all(map(read, messages))


def test_the_samples_show_what_orders_can_have():
    orders = [order for order in map(read, drawn(500)[0]) if order]
    assert {order.side for order in orders} == {"BUY", "SELL"}
    assert {order.counterparty is None for order in orders} == {True, False}
    assert {order.extra != "{}" for order in orders} == {True}
    assert len({order.symbol for order in orders}) > 5


def test_without_an_end_the_shares_hold_in_every_block():
    samples = Samples(Mix(0.05, 0.03), seed=1)
    messages = islice(samples.messages(0), 3 * BLOCK)
    broken = sum(read(message) is None for message in messages)
    assert broken == 3 * round(BLOCK * 0.03)
    assert samples.counts["duplicate"] == 3 * round(BLOCK * 0.05)


@pytest.mark.parametrize("mix", [Mix(1, 0), Mix(0.9, 0.1), Mix(0.9, 0.9), Mix(0.5, 1)], ids=str)
def test_shares_that_leave_no_order_to_repeat_are_refused(mix: Mix):
    with pytest.raises(ValueError, match=r"leave -?[0-9]+ of 10 messages for orders"):
        mix.kinds(10, random.Random(1))  # noqa: S311 - samples, not secrets


def test_nothing_but_broken_messages_can_be_had():
    messages, _ = drawn(50, Mix(0, 1))
    assert not any(map(read, messages))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_rejected(fault):
    order = Samples(Mix(0, 0), seed=1)._fields()
    assert read(Message(fault.body(order), "m", content_type=fault.content_type)) is None


def test_every_fault_comes_in_turn():
    messages, _ = drawn(len(FAULTS), Mix(0, 1))
    reasons = Counter()
    for message in messages:
        with pytest.raises(InvalidOrder) as rejected:
            decode(message.body, message.content_type, NOW)
        reasons[rejected.value.reason] += 1
    assert set(reasons) == {"UNREADABLE", "MISSING_FIELD", "BAD_VALUE", "TOO_LARGE"}


KEYS = {"samples": b"k" * 32}


def signed(message: Message, order_id: str, at: datetime) -> Message:
    made = token.sign(
        KEYS, message_id=message.message_id, order_id=order_id, body=message.body, at=int(at.timestamp())
    )
    return replace(message, headers={token.HEADER: made})


def is_genuine(message: Message, order: ValidatedOrder) -> bool:
    try:
        token.verify(
            message.headers[token.HEADER],
            KEYS,
            message_id=message.message_id,
            order_id=order.order_id,
            body=message.body,
        )
    except token.BadToken:
        return False
    return True


def test_signed_orders_bear_tokens_in_json_and_avro_and_forged_ones_are_among_the_faults():
    messages, samples = drawn(400, Mix(0.1, 0.2, avro=0.5), seed=3, sign=signed)
    orders = [(message, order) for message in messages if (order := read(message))]
    genuine = [message for message, order in orders if is_genuine(message, order)]
    forged = len(orders) - len(genuine)
    assert forged == 80 // (len(FAULTS) + 1)
    assert len(genuine) == samples.counts["order"] + samples.counts["duplicate"]
    assert {message.content_type for message in genuine} == {"application/json", "avro/binary"}


def test_a_token_does_not_change_what_it_is_on():
    plain, with_token = drawn(200, seed=7)[0], drawn(200, seed=7, sign=signed)[0]
    orders = [pair for pair in zip(plain, with_token, strict=True) if read(pair[0])]
    assert len(orders) > 150
    assert all(one.body == other.body and not one.headers for one, other in orders)
