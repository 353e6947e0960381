"""No more comes than was asked for."""

from __future__ import annotations

from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import bodies, numbered


def test_no_more_than_prefetch_are_held_unacknowledged(bench: Bench):
    bench.publisher().publish(numbered(10))
    consumer = bench.consumer(prefetch=4)
    consumer.await_deliveries(4)
    assert consumer.depth() == (6 if bench.counts else None)
    bench.settle(consumer)
    assert len(consumer.deliveries) == 4
    consumer.transport.ack(consumer.deliveries[:3])
    consumer.await_deliveries(7)
    bench.settle(consumer)
    assert len(consumer.deliveries) == 7
    bench.check_ready(3)


def test_a_consumer_of_one_message_at_a_time_gets_all_of_them(bench: Bench):
    bench.publisher().publish(numbered(20))
    consumer = bench.consumer(prefetch=1, acks=True)
    consumer.await_deliveries(20)
    assert consumer.bodies == bodies(numbered(20))


def test_a_slow_consumer_holds_its_prefetch_and_no_more(bench: Bench):
    slow = bench.consumer(prefetch=2)
    fast = bench.consumer(prefetch=20, acks=True)
    bench.publisher().publish(numbered(200))
    bench.loop.until(lambda: len(slow.deliveries) + len(fast.deliveries) == 200)
    bench.settle(slow)
    assert len(slow.deliveries) == 2
    assert sorted(slow.bodies + fast.bodies) == sorted(bodies(numbered(200)))


def test_two_consumers_share_a_queue_without_overlap(bench: Bench):
    one, other = bench.consumer(prefetch=5, acks=True), bench.consumer(prefetch=5, acks=True)
    messages = numbered(300)
    publisher = bench.publisher()
    publisher.publish(messages)
    bench.loop.until(lambda: len(one.deliveries) + len(other.deliveries) >= 300)
    assert sorted(one.bodies + other.bodies) == sorted(bodies(messages))
    assert one.bodies
    assert other.bodies


def test_a_paused_consumer_takes_nothing_until_it_resumes(bench: Bench):
    consumer, publisher = bench.consumer(), bench.publisher()
    consumer.await_depth_0()
    consumer.transport.pause()
    bench.settle(consumer)
    publisher.publish(numbered(5))
    bench.settle(consumer)
    assert consumer.deliveries == []
    consumer.transport.resume()
    consumer.await_deliveries(5)


def test_what_came_before_a_pause_can_be_acknowledged_in_it(bench: Bench):
    bench.publisher().publish(numbered(2))
    consumer = bench.consumer()
    consumer.await_deliveries(2)
    consumer.transport.pause()
    consumer.transport.ack(consumer.deliveries)
    bench.settle(consumer)
    consumer.stop()
    successor = bench.consumer()
    successor.await_depth_0()
    assert successor.deliveries == []


def test_a_consumer_paused_from_the_start_comes_up_and_takes_nothing(bench: Bench):
    bench.publisher().publish(numbered(1))
    consumer = bench.unstarted(consume=True)
    consumer.transport.pause()
    consumer.start()
    bench.settle(consumer)
    assert consumer.deliveries == []
    bench.check_ready(1)
    consumer.transport.resume()
    consumer.await_deliveries(1)


def test_a_pause_and_a_resume_at_once_lose_and_repeat_nothing(bench: Bench):
    bench.publisher().publish(numbered(50))
    consumer = bench.consumer(prefetch=10, acks=True)
    for count in range(5, 50, 5):
        consumer.await_deliveries(count)
        consumer.transport.pause()
        consumer.transport.resume()
    consumer.await_deliveries(50)
    bench.settle(consumer)
    assert sorted(consumer.bodies) == sorted(bodies(numbered(50)))


def test_a_pause_outlives_a_cut_connection(bench: Bench):
    consumer = bench.consumer()
    consumer.transport.pause()
    bench.cut()
    bench.loop.until(lambda: consumer.ups == 2)
    bench.publisher().publish(numbered(1))
    bench.settle(consumer)
    assert consumer.deliveries == []
    bench.check_ready(1)


def test_a_depth_of_0_comes_after_the_last_delivery(bench: Bench):
    publisher = bench.publisher()
    for turn in range(3):
        publisher.publish(numbered(200))
        consumer = bench.consumer(prefetch=1000)
        consumer.await_depth_0()
        assert len(consumer.deliveries) == 200, turn
        consumer.transport.ack(consumer.deliveries)
        consumer.stop()


def test_a_depth_of_0_comes_after_the_last_delivery_while_acknowledging(bench: Bench):
    bench.publisher().publish(numbered(1000))
    consumer = bench.consumer(prefetch=10, acks=True)
    consumer.await_depth_0()
    assert len(consumer.deliveries) == 1000


def test_there_is_no_depth_without_a_connection(bench: Bench):
    consumer = bench.unstarted(consume=True)
    assert consumer.depth() is None
