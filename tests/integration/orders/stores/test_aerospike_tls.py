"""Mutual TLS between the real client and the double."""

import logging
import ssl
import time
from contextlib import suppress

import pytest
import trustme

from orders import status_cache
from orders.stores import aerospike_client, choice
from orders.stores.aerospike import AerospikeStore, aerospike_tls
from orders.stores.choice import open_store
from orders.stores.port import StoreUnavailable
from orders.stores.postgresql import run_in_django
from tests.book_rows import order_in_book
from tests.doubles.aerospike.cluster import Cluster
from tests.integration.orders.stores.benches import new_key, record
from tests.mutual_tls import Authority, outdated

NAME = "aerospike.trading.internal"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """The paths of what a client needs, by name."""
    folder = tmp_path_factory.mktemp("certificates")
    certificate = authority.issue_cert("order-entry.trading.internal")
    files = {
        name: folder / f"{name}.pem" for name in ("ca", "both", "certificate", "key", "other_ca", "junk")
    }
    authority.cert_pem.write_to_path(files["ca"])
    trustme.CA().cert_pem.write_to_path(files["other_ca"])
    certificate.private_key_and_cert_chain_pem.write_to_path(files["both"])
    certificate.private_key_pem.write_to_path(files["key"])
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files["certificate"], append=True)
    files["junk"].write_text("junk")
    return files


@pytest.fixture(scope="module")
def server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert(NAME).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def cluster(server_context):
    with Cluster.running(2, tls=server_context, tls_name=NAME) as running:
        yield running


@pytest.fixture
def connect(cluster):
    opened = []

    def open_(tls, *, name=NAME):
        hosts = [("127.0.0.1", cluster.nodes[0].port, name)]
        opened.append(AerospikeStore(hosts, namespace="orders_ns", timeout=2, replication_factor=2, tls=tls))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.mark.parametrize("separate", [False, True], ids=["one file", "certificate and key"])
def test_with_certificates_on_both_sides_records_are_written_and_read_on_all_nodes(connect, files, separate):
    certificate, key = (files["certificate"], files["key"]) if separate else (files["both"], None)
    store = connect(aerospike_tls(files["ca"], certificate, key))
    keys = [new_key() for _ in range(50)]
    store.write([record(key) for key in keys])
    assert set(store.read(keys)) == set(keys)
    assert store.check() == []


def fails(store, says):
    """It does, and keeps doing so, and the reason names the cause."""
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as failure:
            store.write([record(new_key())])
    assert says.lower() in str(failure.value).lower(), str(failure.value)


def test_a_node_of_another_authority_is_not_believed(connect, files):
    fails(connect(aerospike_tls(files["other_ca"], files["both"], None)), "certificate verify failed")


def test_a_node_of_another_name_is_not_believed(connect, files):
    fails(
        connect(aerospike_tls(files["ca"], files["both"], None), name="other.internal"),
        "TLS name 'other.internal' mismatch",
    )


def test_a_node_that_speaks_no_later_tls_than_1_1_is_not_believed(tmp_path):
    authority = Authority(tmp_path)
    tls = aerospike_tls(authority.ca_cert, authority.issue("client.pem"), None)
    with Cluster.running(1, tls=outdated(authority.server(NAME)), tls_name=NAME) as old:
        hosts = [("127.0.0.1", old.nodes[0].port, NAME)]
        store = AerospikeStore(hosts, namespace="orders_ns", timeout=2, replication_factor=1, tls=tls)
        fails(store, "unsupported protocol")
        store.close()


def test_a_client_without_a_certificate_is_not_let_in(connect, files):
    fails(connect(aerospike_tls(files["ca"], None, None)), "connect")


def test_a_client_without_tls_is_not_let_in(connect):
    fails(connect(None, name=""), "connect")


def test_a_certificate_that_cannot_be_read_is_a_failure_that_says_so(connect, files):
    fails(connect(aerospike_tls(files["ca"], files["junk"], None)), "tls")


@pytest.fixture
def renewing(tmp_path, monkeypatch):
    """A cluster whose authority and certificates are renewed, and a store that looks at each call whether they are."""
    monkeypatch.setattr(aerospike_client, "_LOOK", 0)
    authority = Authority(tmp_path)
    tls = aerospike_tls(authority.ca_cert, authority.issue("client.pem"), None)
    with Cluster.running(2, tls=authority.server(NAME), tls_name=NAME) as cluster:
        hosts = [("127.0.0.1", cluster.nodes[0].port, NAME)]
        store = AerospikeStore(hosts, namespace="orders_ns", timeout=1, replication_factor=2, tls=tls)
        yield authority, cluster, store
        store.close()


USED, UNUSED = "the new ones are in use", "the old ones stay in use"


def write_until(store, condition):
    """Batches without pause, none of which may fail."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        store.write([record(new_key()) for _ in range(20)])


def write_for(store, seconds):
    until = time.monotonic() + seconds
    write_until(store, lambda: time.monotonic() > until)


def try_until(store, condition):
    """The same, however many fail."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        with suppress(StoreUnavailable):
            store.write([record(new_key())])


def test_certificates_are_renewed_under_load_and_no_batch_fails(renewing, caplog):
    caplog.set_level(logging.INFO)
    authority, _, store = renewing
    write_for(store, 0.1)
    authority.issue("client.pem")
    write_until(store, lambda: USED in caplog.text)
    # Meanwhile the old client ends.
    write_for(store, 2.5)
    authority.issue("client.pem")
    write_until(store, lambda: caplog.text.count(USED) == 2)


def test_a_new_authority_is_believed_without_a_restart(renewing, caplog):
    caplog.set_level(logging.INFO)
    authority, cluster, store = renewing
    write_for(store, 0.1)
    authority.renew()
    cluster.tls = authority.server(NAME)
    for node in cluster.nodes:
        node.kill()
        node.start()
    try_until(store, lambda: f"{UNUSED}: no node lets us in" in caplog.text)
    authority.issue("client.pem")
    try_until(store, lambda: USED in caplog.text)
    write_for(store, 0.1)


def test_certificates_that_are_no_use_leave_the_old_ones_in_use_and_are_complained_of_once(renewing, caplog):
    authority, _, store = renewing
    write_for(store, 0.1)
    (authority.ca_cert.parent / "client.pem").write_text("being written")
    write_until(store, lambda: UNUSED in caplog.text)
    write_for(store, 0.3)
    assert caplog.text.count(UNUSED) == 1


@pytest.mark.django_db
def test_a_cached_order_is_answered_over_mutual_tls_without_a_query(
    configure, cluster, files, client, django_assert_num_queries
):
    configure(
        "aerospike",
        seed_hosts=[f"127.0.0.1:{cluster.nodes[0].port}:{NAME}"],
        client_cert=files["both"],
        ca_cert=files["ca"],
    )
    configure("cache", store="aerospike")
    choice._shared.cache_clear()
    order = order_in_book("ORD-TLS")
    try:
        status_cache.from_settings().put(order)
        with django_assert_num_queries(0):
            response = client.get("/order/ORD-TLS")
        assert response.json()["orderId"] == "ORD-TLS"
    finally:
        open_store("aerospike", run=run_in_django).close()
        choice._shared.cache_clear()
