"""The configuration: the spec's file loads as it stands, and what is wrong is refused with its path."""

import re

import pytest
import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from order_entry_project import config
from order_entry_project.config import Config, ConfigError, Section
from tests.checkout import ROOT

# The configuration of the specification, to the letter.
SPEC = """
service:
  name: order-entry
  port: 8081
  replicas: 3

mq:
  broker_url: amqp://mq.trading.internal:5672
  consumer_queue: TRADE.VALIDATED.ORDERS
  producer_queue: TRADE.ROUTED.ORDERS
  consumer_group: order-entry-consumer-group
  batch_size: 10
  max_retries: 3
  client_cert: /etc/certs/mq-client.pem

database:
  sql_host: db.trading.internal
  sql_port: 5432
  sql_database: trading_orders
  credentials_source: safeguard
  pool_size: 20
  connection_timeout: 10s

aerospike:
  seed_hosts:
    - aerospike-1.trading.internal:3000
    - aerospike-2.trading.internal:3000
  namespace: orders_ns
  key_pattern: "orderStatus:{orderId}"
  ttl_seconds: 2592000  # 30 days
  client_cert: /etc/certs/aerospike-client.pem
  replication_factor: 2

service_registry:
  endpoint: registry.trading.internal:8090
  lookup_interval: 5m
  router_service: order-router

idempotency:
  store: aerospike  # or redis
  ttl: 86400  # 24 hours
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a file's text with variables; nothing of this machine's environment."""

    def load_text(text=None, **variables):
        for name in [name for name in config.os.environ if name.startswith("ORDER_ENTRY")]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(config, "EMBEDDED_DIR", tmp_path / "none")
        if text is not None:
            (tmp_path / "order-entry.yaml").write_text(text)
            monkeypatch.setenv("ORDER_ENTRY_CONFIG", str(tmp_path / "order-entry.yaml"))
        for name, value in variables.items():
            monkeypatch.setenv(f"ORDER_ENTRY__{name}", value)
        return config.load()

    return load_text


def test_the_specs_file_loads_as_it_stands(load):
    loaded = load(SPEC)
    written = yaml.safe_load(SPEC)
    for section, keys in written.items():
        for key, value in keys.items():
            got = getattr(getattr(loaded, section), key)
            assert str(got) == str(value) or got in (10.0, 300.0), f"{section}.{key}"
    assert (loaded.database.connection_timeout, loaded.service_registry.lookup_interval) == (10.0, 300.0)
    assert (loaded.cache_store, loaded.idempotency_store, loaded.mq.tls) == ("aerospike", "aerospike", True)


def test_without_any_file_everything_is_embedded_and_on_loopback(load):
    loaded = load()
    assert loaded.mq.embedded
    assert (loaded.cache_store, loaded.idempotency_store) == ("postgresql", "postgresql")
    assert loaded.database.sql_host == "127.0.0.1"
    assert loaded.service_registry.endpoint.startswith("127.0.0.1:")


def test_the_environment_overrides_the_file_key_by_key(load):
    loaded = load(SPEC, MQ__BATCH_SIZE="50", DATABASE__CONNECTION_TIMEOUT="250ms", MQ__PRODUCER_QUEUE="null")
    assert (loaded.mq.batch_size, loaded.database.connection_timeout) == (50, 0.25)
    assert loaded.mq.producer_queue is None
    assert loaded.mq.consumer_queue == "TRADE.VALIDATED.ORDERS"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mq:\n  batchsize: 10\n", "mq.batchsize: unknown key"),
        ("queue: {}\n", "queue: unknown key"),
        ("mq:\n  batch_size: ten\n", r"mq.batch_size: .*integer.*got 'ten'"),
        ("mq:\n  batch_size: 0\n", r"mq.batch_size: .*greater than or equal to 1, got 0"),
        (
            "service_registry:\n  lookup_interval: soon\n",
            r"lookup_interval: expected a duration such as .*got 'soon'",
        ),
        ("mq:\n  broker_url: http://x\n", "mq.broker_url: expected a URL that begins with"),
        ("mq:\n  address: /queue/{name}\n", "mq.address: expected {queue} in it, once"),
        ("mq:\n  address: '{queue}{queue}'\n", "mq.address: expected {queue} in it, once"),
        (
            "mq:\n  broker_url: amqp10://x\n  declare: true\n",
            "mq: queue_type stream and declare go with an amqp",
        ),
        (
            "mq:\n  broker_url: amqp10s://x\n  queue_type: stream\n",
            "mq: queue_type stream and declare go with",
        ),
        (
            "mq:\n  producer_queue: TRADE.VALIDATED.ORDERS\n",
            "mq: producer_queue must differ from consumer_queue",
        ),
        ("mq:\n  client_cert: /x.pem\n", "mq: ca_cert, client_cert and client_key go with an amqp"),
        ("router:\n  claim: 1s\n", r"router: claim \(1s\) must be at least twice timeout \(2s\)"),
        ("aerospike:\n  key_pattern: orderStatus\n", "aerospike.key_pattern: expected a pattern that holds"),
        ("mq: [1, 2\n", "not readable as YAML"),
        ("mq:\n", "mq: .*valid dictionary"),
        ("- 1\n", "order-entry.yaml"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(load, text, says):
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert re.search(says, str(refused.value)), str(refused.value)


def test_every_wrong_key_is_named_at_once(load):
    with pytest.raises(ConfigError) as refused:
        load("mq:\n  batch_size: x\n  nonsense: 1\nrouter:\n  timeout: -1\n")
    assert all(key in str(refused.value) for key in ("mq.batch_size", "mq.nonsense", "router.timeout"))


def test_an_unknown_section_in_the_environment_is_refused(load):
    with pytest.raises(ConfigError, match="ORDER_ENTRY__QUEUE__NAME: unknown section"):
        load(QUEUE__NAME="x")


def test_a_named_file_that_is_missing_is_refused(load, monkeypatch):
    load()
    monkeypatch.setenv("ORDER_ENTRY_CONFIG", "/nowhere/order-entry.yaml")
    with pytest.raises(ConfigError, match=r"/nowhere/order-entry\.yaml, which is not a file"):
        config.load()


def test_a_refused_secret_is_not_repeated(load):
    with pytest.raises(ConfigError) as refused:
        load("database:\n  sql_password: [hunter2]\n")
    assert "database.sql_password" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def keys():
    for section, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Section)
        for key, described in field.annotation.model_fields.items():
            yield pytest.param(section, key, described, id=f"{section}.{key}")


@pytest.mark.parametrize(("section", "key", "described"), list(keys()))
def test_every_key_is_explained_and_read_somewhere_or_called_informational(
    section: str, key: str, described: FieldInfo
):
    assert described.description
    if described.description.startswith("Informational"):
        return
    code = [
        path.read_text()
        for package in ("order_entry_project", "consumers", "routing", "orders")
        for path in (ROOT / package).rglob("*.py")
    ]
    used = re.compile(rf"\.{key}\b|self\.{key}\b")
    assert any(used.search(text) for text in code), f"{section}.{key} has no effect"


def test_secrets_do_not_show_when_the_configuration_is_printed(load):
    loaded = load(DATABASE__SQL_PASSWORD="hunter2", API__SECRET_KEY="hunter3")
    assert isinstance(loaded.database.sql_password, SecretStr)
    assert "hunter" not in repr(loaded)


def test_a_seed_host_names_host_port_and_if_need_be_the_name_in_its_certificate(load):
    loaded = load("aerospike:\n  seed_hosts: ['a.example:3000', 'b.example:4333:cluster', '[::1]:3000']\n")
    assert loaded.aerospike.hosts == [
        ("a.example", 3000, "a.example"),
        ("b.example", 4333, "cluster"),
        ("::1", 3000, "::1"),
    ]


@pytest.mark.parametrize(
    "host", ["a.example", "a.example:0", "a.example:70000", ":3000", "a:3000:", "a b:3000"]
)
def test_a_seed_host_that_is_none_is_refused(load, host):
    with pytest.raises(ConfigError, match=r"aerospike.seed_hosts: expected host:port or host:port:tls-name"):
        load(f"aerospike:\n  seed_hosts: ['{host}']\n")


def test_aerospike_without_hosts_is_refused(load):
    with pytest.raises(ConfigError, match=r"aerospike.seed_hosts: expected at least one host:port"):
        load(IDEMPOTENCY__STORE="aerospike")


def test_cache_and_idempotency_store_are_chosen_independently(load):
    loaded = load(CACHE__STORE="postgresql", IDEMPOTENCY__STORE="redis")
    assert (loaded.cache_store, loaded.idempotency_store) == ("postgresql", "redis")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (
            "REDIS__URL",
            "http://:hunter2@host",
            "redis: url: expected redis://host:port or rediss://host:port",
        ),
        ("REDIS__URL", "redis://", "redis: url: expected redis://host:port"),
        (
            "REDIS__URL",
            "redis://:hunter2@host:6379/cache",
            "redis: url: expected a port and at most the number",
        ),
        ("REDIS__URL", "redis://:hunter2@host:port", "redis: "),
        ("REDIS__CA_CERT", "/ca.pem", "redis: ca_cert, client_cert and client_key go with a rediss:// url"),
        ("REDIS__CLIENT_KEY", "/key.pem", "redis.client_key: client_key goes with client_cert"),
        ("AEROSPIKE__CLIENT_KEY", "/key.pem", "aerospike.client_key: client_key goes with client_cert"),
        ("MQ__CLIENT_KEY", "/key.pem", "mq.client_key: client_key goes with client_cert"),
        ("AEROSPIKE__TTL_SECONDS", "400000000", "aerospike.ttl_seconds: .*less than or equal to 315360000"),
        ("AEROSPIKE__KEY_PATTERN", "{orderId}", "aerospike.key_pattern: expected a pattern that holds"),
    ],
)
def test_a_store_that_cannot_be_used_so_is_refused_and_passwords_are_not_repeated(
    load, variable, value, says
):
    with pytest.raises(ConfigError, match=says) as refused:
        load(**{variable: value})
    assert "hunter2" not in str(refused.value)


def test_the_password_in_the_url_of_redis_does_not_show(load):
    assert "hunter2" not in repr(load(REDIS__URL="rediss://:hunter2@host:6379/0"))


KEY, OTHER_KEY = "hunter2" + "k" * 32, "hunter2" + "o" * 32


def test_token_keys_come_from_the_file_and_as_json_from_the_environment(load):
    text = f"idempotency:\n  signing_key: '2026-11'\n  token_keys:\n    '2026-11': {KEY}\n"
    loaded = load(
        text, IDEMPOTENCY__TOKEN_KEYS=f'{{"2026-12": "{OTHER_KEY}"}}', IDEMPOTENCY__REQUIRE_TOKEN="true"
    )
    keys = loaded.idempotency.token_keys
    assert {kid: key.get_secret_value() for kid, key in keys.items()} == {
        "2026-11": KEY,
        "2026-12": OTHER_KEY,
    }
    assert "hunter2" not in repr(loaded)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"REQUIRE_TOKEN": "true"}, "idempotency: require_token goes with token_keys"),
        ({"MAX_MESSAGE_AGE": "1h"}, "idempotency: max_message_age goes with token_keys"),
        (
            {"MAX_MESSAGE_AGE": "-1s", "TOKEN_KEYS": f'{{"a": "{KEY}"}}'},
            "idempotency.max_message_age: expected a",
        ),
        ({"SIGNING_KEY": "a"}, "idempotency: signing_key goes with token_keys"),
        (
            {"SIGNING_KEY": "b", "TOKEN_KEYS": f'{{"a": "{KEY}"}}'},
            "idempotency: signing_key is b; expected one of a",
        ),
        (
            {"TOKEN_KEYS": f'{{"a": "{KEY}", "b": "{OTHER_KEY}"}}'},
            "idempotency: signing_key: expected which of several token_keys signs: a, b",
        ),
        (
            {"TOKEN_KEYS": f'{{"a": "{KEY}", "b": "{KEY}"}}', "SIGNING_KEY": "a"},
            "token_keys: expected a different key for each id",
        ),
        ({"TOKEN_KEYS": '{"a": "hunter2"}'}, "idempotency.token_keys.a: expected a key of at least 32 bytes"),
        ({"TOKEN_KEYS": f'{{"a": "{KEY} "}}'}, "token_keys.a: expected a key without white space around it"),
        ({"TOKEN_KEYS": f'{{"a,b": "{KEY}"}}'}, "idempotency.token_keys.a,b.*: String should match pattern"),
        ({"TOKEN_KEYS": f'["{KEY}"]'}, "idempotency.token_keys: Input should be a valid dictionary"),
        (
            {"TOKEN_KEYS": KEY},
            'the environment: .*"idempotency".*; expected JSON: Expecting value: line 1 column 1',
        ),
        ({"TOKEN_KEYS": '{"a": 12345}'}, "idempotency.token_keys.a: Input should be a valid string"),
    ],
)
def test_token_keys_that_protect_nothing_are_refused_and_not_repeated(load, variables, says):
    with pytest.raises(ConfigError, match=says) as refused:
        load(**{f"IDEMPOTENCY__{name}": value for name, value in variables.items()})
    assert "hunter2" not in str(refused.value)
