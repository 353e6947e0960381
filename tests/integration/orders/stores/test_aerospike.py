"""What is Aerospike's own: its facts, one by one, shown by the double to the real client."""

import os
import subprocess
import sys
import time

import pytest

from orders.stores.aerospike import AerospikeStore
from orders.stores.port import RecordsRefused, StoreUnavailable
from tests.doubles.aerospike.cluster import Cluster
from tests.doubles.aerospike.records import FORBIDDEN, TOO_BIG
from tests.integration.orders.stores.benches import DAY, new_key, record
from tests.integration.orders.stores.black_hole import black_hole
from tests.ports import free_port
from tests.waiting import wait_until

OVERLOADED, RECORD_BUSY = 18, 14
TIMEOUT = 0.6
SLACK = 0.55


@pytest.fixture
def connect():
    opened = []

    def open_(cluster_or_hosts, *, timeout=TIMEOUT, namespace="orders_ns", replication_factor=1):
        if isinstance(cluster_or_hosts, Cluster):
            cluster_or_hosts = [("127.0.0.1", node.port) for node in cluster_or_hosts.nodes]
        opened.append(
            AerospikeStore(
                cluster_or_hosts, namespace=namespace, timeout=timeout, replication_factor=replication_factor
            )
        )
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def pair():
    with Cluster.running(2) as cluster:
        yield cluster


@pytest.fixture
def store(cluster, connect):
    return connect(cluster)


def versions(store, keys):
    return {key: int(bins["version"]) for key, bins in store.read(keys).items()}


def refuse(cluster, code, *keys):
    """Answer `code` to whoever writes one of `keys`, or anything when none is given."""
    cluster.records.fault = lambda request: code if not keys or request.key in keys else 0


def test_a_connection_is_made_by_the_first_call_and_not_before(cluster, connect):
    cluster.nodes[0].kill()
    store = connect(cluster)
    cluster.nodes[0].start()
    store.ping()


class TestRecords:
    def test_the_set_is_the_key_s_prefix_and_the_user_key_is_the_whole_key(self, cluster, store):
        for kind in "orderStatus", "idempotency", "consumerOffset":
            key = new_key(kind)
            store.write([record(key)])
            assert cluster.records.of(key).set == kind

    def test_bins_keep_their_types_so_that_they_can_be_queried(self, cluster, store):
        key = new_key()
        store.write([record(key, 4, status="ROUTED", written_at=1_771_065_045, routed_at=None)])
        assert cluster.records.of(key).bins == {"status": "ROUTED", "written_at": 1_771_065_045, "version": 4}

    @pytest.mark.parametrize("size", [1, 3])
    def test_an_older_version_leaves_the_record_untouched(self, cluster, store, size):
        keys = [new_key() for _ in range(size)]
        store.write([record(key, 5) for key in keys])
        store.write([record(key, 4, ttl=10) for key in keys])
        assert [cluster.records.of(key).generation for key in keys] == [1] * size

    @pytest.mark.parametrize("bins", [{"status": "somebody's"}, {"version": "new"}])
    def test_a_record_without_version_is_overwritten(self, cluster, store, bins):
        key = new_key()
        store.write([record(key)])
        cluster.records.of(key).bins = bins
        store.write([record(key, 0)])
        assert versions(store, [key]) == {key: 0}

    def test_a_key_twice_in_a_batch_is_sent_once(self, cluster, store):
        key = new_key()
        store.write([record(key, 1), record(key, 2), record(key, 2)])
        assert cluster.records.of(key).generation == 1


class TestResults:
    @pytest.mark.parametrize("size", [1, 5])
    def test_a_record_too_big_is_refused_and_its_neighbours_are_written(self, cluster, store, size):
        keys = [new_key() for _ in range(size)]
        with pytest.raises(RecordsRefused, match=rf"1 of {size} records failed: RecordTooBig \(13\)"):
            store.write([record(keys[0], value="x" * 1_100_000), *map(record, keys[1:])])
        assert set(store.read(keys)) == set(keys[1:])

    def test_each_reason_is_named(self, cluster, store):
        one, other, fine = new_key(), new_key(), new_key()
        cluster.records.fault = lambda request: {one: TOO_BIG, other: RECORD_BUSY}.get(request.key, 0)
        with pytest.raises(RecordsRefused, match=r"2 of 3 records failed: RecordBusy \(14\), RecordTooBig"):
            store.write([record(one), record(other), record(fine)])
        assert list(store.read([one, other, fine])) == [fine]

    @pytest.mark.parametrize("size", [1, 5])
    def test_an_overloaded_node_is_an_outage(self, cluster, store, size):
        keys = [new_key() for _ in range(size)]
        refuse(cluster, OVERLOADED, keys[0])
        with pytest.raises(StoreUnavailable, match="DeviceOverload") as failure:
            store.write([record(key) for key in keys])
        assert not isinstance(failure.value, RecordsRefused)

    def test_a_batch_answered_in_part_is_a_failure(self, cluster, store):
        keys = [new_key() for _ in range(8)]
        store.write([record(key) for key in keys])
        cluster.nodes[0].answers_before_cut = 3
        for call in (lambda: store.write([record(key, 2) for key in keys]), lambda: store.read(keys)):
            with pytest.raises(StoreUnavailable, match="ConnectionError"):
                call()
        cluster.nodes[0].answers_before_cut = None
        store.write([record(key, 2) for key in keys])
        assert set(versions(store, keys).values()) == {2}

    def test_when_no_node_is_left_nothing_is_believed(self, cluster, store):
        key = new_key()
        store.write([record(key)])
        cluster.nodes[0].kill()
        reason = "no node can be reached"

        def all_fail_for_it():
            reasons = []
            for call in (lambda: store.write([record(key, 2)]), lambda: store.read([key]), store.ping):
                with pytest.raises(StoreUnavailable) as failure:
                    call()
                reasons.append(str(failure.value))
            return all(reason in one for one in reasons)

        wait_until(all_fail_for_it, what=reason, patience=10)
        with pytest.raises(StoreUnavailable, match=reason):
            store.check()

    def test_a_namespace_that_is_not_there_is_refused_and_check_says_so(self, cluster, connect):
        store = connect(cluster, namespace="orders")
        with pytest.raises(RecordsRefused, match="NamespaceNotFound"):
            store.write([record(new_key())])
        (finding,) = store.check()
        assert finding.startswith("Aerospike does not tell of the namespace orders: ")

    def test_a_bin_name_the_client_does_not_take_is_no_outage(self, store):
        with pytest.raises(RecordsRefused):
            store.write([record(new_key(), **{"n" * 16: "x"})])


class TestLives:
    def test_a_namespace_that_forbids_ends_is_found_by_check_and_refuses_them(self, cluster, store):
        cluster.records.nsup_period = 0
        assert store.check() == [
            f"Aerospike node {cluster.nodes[0].name}: nsup-period of orders_ns is 0: records that end are refused"
        ]
        brief, lasting = new_key(), new_key()
        with pytest.raises(RecordsRefused, match=rf"ForbiddenError \({FORBIDDEN}\)"):
            store.write([record(brief, ttl=DAY), record(lasting, ttl=None)])
        assert list(store.read([brief, lasting])) == [lasting]

    def test_a_life_beyond_ten_years_is_refused(self, store):
        with pytest.raises(RecordsRefused):
            store.write([record(new_key(), ttl=315_360_001)])
        store.write([record(new_key(), ttl=315_360_000)])


class TestClusters:
    def test_fewer_copies_than_configured_are_found_by_check(self, pair, connect):
        store = connect(pair, replication_factor=2)
        assert store.check() == []
        pair.leave(pair.nodes[1])
        assert store.check()[0].endswith("orders_ns keeps 1 copies, configured are 2")

    @pytest.mark.parametrize("dead_first", [True, False])
    def test_one_of_several_seeds_may_be_dead(self, cluster, connect, dead_first):
        hosts = [("127.0.0.1", free_port()), ("127.0.0.1", cluster.nodes[0].port)]
        store = connect(hosts if dead_first else hosts[::-1])
        store.write([record(new_key())])

    @pytest.mark.parametrize("name", ["nowhere.invalid"])
    def test_one_of_several_seeds_may_have_no_address(self, cluster, connect, name):
        store = connect([(name, 3000), ("127.0.0.1", cluster.nodes[0].port)], timeout=5)
        store.write([record(new_key())])

    def test_seeds_that_do_not_answer_cost_a_call_no_more_than_its_timeout(self, cluster, connect):
        # Two, so that the third is not reached in time however late this thread is woken.
        with black_hole() as one, black_hole() as other:
            store = connect([("127.0.0.1", port) for port in (one, other, cluster.nodes[0].port)])
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=r"not connected after 0\.6 s"):
                store.ping()
            assert time.monotonic() - began < TIMEOUT + SLACK
            wait_until(lambda: store.ping() is None, what="a ping", patience=5, despite=(StoreUnavailable,))

    def test_while_a_node_hangs_reads_go_to_the_copy_in_time(self, pair, connect):
        store = connect(pair)
        keys = [new_key() for _ in range(20)]
        store.write([record(key) for key in keys])
        pair.nodes[1].hang()
        began = time.monotonic()
        assert len(store.read(keys)) == 20
        assert time.monotonic() - began < TIMEOUT + SLACK
        pair.nodes[1].go_on()

    def test_while_a_node_hangs_writes_fail_in_time(self, pair, connect):
        store = connect(pair)
        keys = [new_key() for _ in range(20)]
        store.write([record(key) for key in keys])
        pair.nodes[1].hang()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            store.write([record(key, 2) for key in keys])
        assert time.monotonic() - began < TIMEOUT + SLACK
        pair.nodes[1].go_on()

    def test_a_node_that_is_lost_and_comes_back_goes_unnoticed(self, pair, connect):
        store = connect(pair)
        keys = [new_key() for _ in range(20)]
        store.write([record(key) for key in keys])
        lost = pair.nodes[1]
        lost.kill()
        store.write([record(key, 2) for key in keys])
        assert len(store.read(keys)) == 20
        pair.leave(lost)
        store.write([record(key, 3) for key in keys])
        lost.start()
        pair.join(lost)
        store.write([record(key, 4) for key in keys])
        assert set(versions(store, keys).values()) == {4}

    def test_a_batch_is_one_request_to_each_node(self, pair, connect):
        # Half of the timeout without an answer is asked again: here nothing is to be that late.
        store = connect(pair, timeout=60)
        store.write([record(new_key()) for _ in range(500)])
        assert [node.batches for node in pair.nodes] == [1, 1]


@pytest.mark.parametrize("end", ["go on", "hang", "kill"])
def test_a_process_that_never_closed_its_store_ends_at_once(cluster, end):
    code = (
        "from orders.stores.aerospike import AerospikeStore as S; import sys;"
        f"s = S([('127.0.0.1', {cluster.nodes[0].port})], namespace='orders_ns', timeout=1, replication_factor=1);"
        "s.ping(); print('connected', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True
    )
    with process:
        assert process.stdout.readline() == "connected\n"
        {"go on": lambda: None, "hang": cluster.nodes[0].hang, "kill": cluster.nodes[0].kill}[end]()
        time.sleep(1.5 if end != "go on" else 0)  # The client's own thread finds out, and complains.
        process.stdin.close()
        assert process.wait(5) == 0
