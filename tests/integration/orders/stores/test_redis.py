"""What is Redis's own."""

import signal

import pytest
import redis
import trustme

from order_entry_project.embedded.processes import Child
from orders.stores.port import RecordsRefused, StoreUnavailable
from orders.stores.redis import RedisStore
from tests.integration.orders.stores.benches import new_key, record
from tests.ports import free_port
from tests.servers.binaries import installed


@pytest.fixture
def client(redis_bench):
    with redis_bench.client() as client:
        yield client


@pytest.fixture
def store(redis_bench):
    opened = redis_bench.open()
    yield opened
    opened.close()


def test_a_record_is_a_hash_whose_fields_are_its_bins(store, client):
    key = new_key()
    store.write([record(key, 3, status="ROUTED", written_at=17)])
    assert client.hgetall(key) == {"status": "ROUTED", "written_at": "17", "version": "3"}


def test_a_key_that_holds_something_else_is_refused_and_its_neighbours_are_written(store, client):
    before, foreign, after = new_key(), new_key(), new_key()
    client.set(foreign, "somebody's")
    with pytest.raises(RecordsRefused, match=f"1 of 3 not written: {foreign}: WRONGTYPE"):
        store.write([record(before), record(foreign), record(after)])
    assert set(store.read([before, foreign, after])) == {before, after}
    assert client.get(foreign) == "somebody's"
    client.delete(foreign)


def test_foreign_bytes_in_a_record_are_no_reason_to_fail(store, client):
    key = new_key()
    client.hset(key, mapping={"value": b"\xff\xfe", "version": 1})
    assert store.read([key])[key]["version"] == "1"


@pytest.mark.parametrize("fields", [{"status": "somebody's"}, {"version": "new"}])
def test_a_hash_without_version_is_overwritten(store, client, fields):
    key = new_key()
    client.hset(key, mapping=fields)
    store.write([record(key, 0, status="PLACED")])
    assert client.hgetall(key) == {"status": "PLACED", "version": "0"}


def test_a_batch_is_one_call(redis_outage):
    store = redis_outage.open(2)
    store.write([record(new_key())])
    with redis.Redis(port=redis_outage.port) as client:
        client.config_resetstat()
        store.write([record(new_key()) for _ in range(500)])
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
    store.close()


def test_a_server_that_has_forgotten_the_script_is_given_it_again(store, client):
    store.write([record(new_key())])
    client.script_flush()
    key = new_key()
    store.write([record(key)])
    assert list(store.read([key])) == [key]


def test_a_server_without_memory_is_unavailable(redis_outage):
    store = redis_outage.open(2)
    with redis.Redis(port=redis_outage.port) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="used memory"):
            store.write([record(new_key(), value="x" * 100_000) for _ in range(20)])
        client.config_set("maxmemory", 0)
    store.write([record(new_key())])
    store.close()


def test_a_password_that_is_missing_or_wrong_is_a_failure_that_says_so(redis_outage):
    with redis.Redis(port=redis_outage.port) as client:
        client.config_set("requirepass", "s3cret")
    url = f"redis://127.0.0.1:{redis_outage.port}"
    for password, says in (None, "[Aa]uthentication"), ("wrong", "password"):
        store = RedisStore(url, timeout=1, password=password)
        with pytest.raises(StoreUnavailable, match=says):
            store.ping()
        store.close()
    store = RedisStore(url, timeout=1, password="s3cret")
    store.ping()
    store.close()


class TestTls:
    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def port(self, tmp_path, authority):
        """Of a Redis that speaks TLS alone and asks for a client certificate."""
        port = free_port()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        own = authority.issue_cert("localhost", "127.0.0.1")
        own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
        argv = [installed("redis-server", package="redis-server"), "--port", "0", "--tls-port", str(port)]
        argv += ["--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
        for option in "cert", "key":
            argv += [f"--tls-{option}-file", str(tmp_path / "server.pem")]
        argv += ["--tls-ca-cert-file", str(tmp_path / "ca.pem")]
        log = tmp_path / "redis.log"
        with Child.running(argv, name="Redis", log=log, stop=signal.SIGKILL) as child:
            while "Ready to accept" not in (log.read_text() if log.exists() else ""):
                child.check()
            yield port

    @pytest.fixture
    def connect(self, port, tmp_path):
        opened = []

        def open_(**certificates):
            opened.append(RedisStore(f"rediss://127.0.0.1:{port}", timeout=6, **certificates))
            return opened[-1]

        yield open_
        for store in opened:
            store.close()

    @pytest.fixture
    def client_cert(self, tmp_path, authority):
        path = tmp_path / "client.pem"
        authority.issue_cert("order-entry").private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def test_both_sides_show_a_certificate(self, connect, tmp_path, client_cert):
        store = connect(ca_cert=tmp_path / "ca.pem", client_cert=client_cert)
        key = new_key()
        store.write([record(key)])
        assert list(store.read([key])) == [key]

    def test_a_renewed_certificate_serves_the_next_connection_and_those_that_stand_stay(
        self, connect, tmp_path, client_cert, port
    ):
        store = connect(ca_cert=tmp_path / "ca.pem", client_cert=client_cert)
        store.ping()
        good = client_cert.read_bytes()
        client_cert.write_text("being written")
        store.ping()
        other = tmp_path / "other.pem"
        other.write_bytes(good)
        tls = {"ssl_ca_certs": tmp_path / "ca.pem", "ssl_certfile": other, "ssl_keyfile": other}
        with redis.Redis(port=port, ssl=True, **tls) as operator:
            operator.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(StoreUnavailable):
            store.ping()
        client_cert.write_bytes(good)
        store.ping()

    def test_a_client_without_a_certificate_is_not_let_in(self, connect, tmp_path):
        with pytest.raises(StoreUnavailable):
            connect(ca_cert=tmp_path / "ca.pem").ping()

    def test_a_server_of_another_authority_is_not_believed(self, connect, client_cert):
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            connect(client_cert=client_cert).ping()

    def test_a_certificate_that_cannot_be_read_is_a_failure(self, connect, tmp_path):
        with pytest.raises(StoreUnavailable):
            connect(ca_cert=tmp_path / "none.pem").ping()
        (tmp_path / "junk.pem").write_text("junk")
        with pytest.raises(StoreUnavailable):
            connect(ca_cert=tmp_path / "ca.pem", client_cert=tmp_path / "junk.pem").ping()
