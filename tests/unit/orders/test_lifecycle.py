from __future__ import annotations

import pytest

from orders.lifecycle import FINAL, ROUTABLE, TRANSITIONS, Event, Status, may_become, sources_of


def test_every_status_says_what_may_follow():
    assert set(TRANSITIONS) == set(Status)


@pytest.mark.parametrize(
    ("current", "following"),
    [
        (Status.PLACED, {Status.ROUTED, Status.PENDING_ROUTE, Status.CANCELED}),
        (Status.PENDING_ROUTE, {Status.ROUTED, Status.CANCELED}),
        (Status.ROUTED, {Status.EXECUTED, Status.CANCELED}),
        (Status.EXECUTED, set()),
        (Status.CANCELED, set()),
    ],
)
def test_an_order_may_become_exactly_what_the_design_says(current, following):
    assert {status for status in Status if may_become(current, status)} == following


@pytest.mark.parametrize("status", Status)
def test_no_order_becomes_what_it_is(status):
    assert not may_become(status, status)


@pytest.mark.parametrize("following", Status)
def test_the_sources_of_a_status_are_those_that_may_become_it(following):
    assert set(sources_of(following)) == {status for status in Status if may_become(status, following)}


def test_no_order_is_placed_a_second_time():
    assert sources_of(Status.PLACED) == ()


def test_orders_are_routable_until_they_are_routed():
    assert set(ROUTABLE) == {Status.PLACED, Status.PENDING_ROUTE}


def test_nothing_follows_a_final_status():
    assert {Status.EXECUTED, Status.CANCELED} == FINAL


def test_each_status_is_announced_by_an_event_of_its_name():
    assert {status.value for status in Status} <= {event.value for event in Event}


def test_every_status_can_be_reached_from_the_first():
    reached, reachable = {Status.PLACED}, {Status.PLACED}
    while reachable:
        reachable = {after for status in reachable for after in TRANSITIONS[status]} - reached
        reached |= reachable
    assert reached == set(Status)
