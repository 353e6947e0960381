"""Which source each secret has by the configuration, and that none is shown."""

from __future__ import annotations

import json
import logging

import pytest

from order_entry_project import logs, redaction
from order_entry_project.config import Config, Database, Idempotency, Mq, Safeguard
from order_entry_project.secrets.sources import credentials
from orders.credentials import CredentialsUnavailable, Login

KEY, OTHER = "canary-key-1" + "k" * 32, "canary-key-2" + "o" * 32
BROKER = "amqp://127.0.0.1:5672"


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """What a test has hidden from the log."""
    monkeypatch.setattr(redaction, "_learned", [])
    monkeypatch.setattr(redaction, "_written", ())


@pytest.fixture
def file(tmp_path):
    def make(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return make


def keys_file(path) -> Config:
    return Config(idempotency=Idempotency(credentials_source="file", token_keys_file=path))


def test_by_default_the_user_is_order_entry_without_a_password():
    made = credentials(Config())
    assert (made.sql.current(), made.mq) == (Login("order_entry", ""), None)
    assert made.token_keys.current() == {}


def test_the_configuration_s_own_are_used_as_they_are():
    made = credentials(
        Config(
            database=Database(sql_user="trader", sql_password="one"),
            mq=Mq(broker_url=BROKER, username="svc", password="two"),
            idempotency=Idempotency(token_keys={"a": KEY}),
        )
    )
    assert (made.sql.current(), made.mq.current()) == (Login("trader", "one"), Login("svc", "two"))
    assert made.token_keys.current() == {"a": KEY.encode()}
    assert made.sql.renewed(made.sql.current(), patience=1) is None


def test_files_give_user_and_password(file):
    database = {"credentials_source": "file", "sql_password_file": file("password", "one\n")}
    mq = Mq(broker_url=BROKER, username="svc", password_file=file("broker", "two\n"))
    made = credentials(Config(database=Database(**database), mq=mq))
    assert (made.sql.current(), made.mq.current()) == (Login("order_entry", "one"), Login("svc", "two"))
    named = credentials(Config(database=Database(**database, sql_user="trader")))
    assert named.sql.current() == Login("trader", "one")
    both = credentials(Config(database=Database(**database, sql_user_file=file("user", "vault-user-2\n"))))
    assert both.sql.current() == Login("vault-user-2", "one")


def test_token_keys_in_a_file_are_taken_up_as_they_change(file):
    path = file("keys", json.dumps({"a": KEY}))
    source = credentials(keys_file(path)).token_keys
    assert source.current() == {"a": KEY.encode()}
    path.write_text(json.dumps({"a": KEY, "b": OTHER}))
    assert source.current() == {"a": KEY.encode(), "b": OTHER.encode()}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("canary", "Invalid JSON"),
        ('["canary"]', "should be an object"),
        ('{"a": "canary"}', "at least 32 bytes"),
        (json.dumps({"no good id": KEY}), "should match pattern"),
        (json.dumps({"a": 12345}), "valid string"),
    ],
)
def test_token_keys_that_protect_nothing_are_refused_and_not_repeated(file, text, says):
    with pytest.raises(CredentialsUnavailable, match=says) as refused:
        credentials(keys_file(file("keys", text))).token_keys.current()
    assert not any(secret in str(refused.value) for secret in ("canary", KEY, "12345"))


def test_no_source_shows_what_it_holds(file):
    vault = Safeguard(host="localhost:1", client_cert="/c", sql_api_key="api-canary")
    for database in (
        Database(sql_password="canary"),
        Database(credentials_source="file", sql_password_file=file("password", "canary")),
        Database(credentials_source="safeguard"),
    ):
        made = credentials(
            Config(database=database, safeguard=vault, idempotency=Idempotency(token_keys={"a": KEY}))
        )
        if database.credentials_source != "safeguard":
            assert made.sql.current().password == "canary"
            assert "canary" not in repr(made.sql.current())
        assert "canary" not in repr(made)


def test_what_is_learned_from_a_file_is_blotted_out_of_the_log(file):
    formatter = logs.PlainLines()
    record = logging.makeLogRecord({"msg": f"it said hunter2-canary and {KEY}"})
    assert "hunter2-canary" in formatter.format(record)
    database = Database(credentials_source="file", sql_password_file=file("password", "hunter2-canary\n"))
    credentials(Config(database=database)).sql.current()
    credentials(keys_file(file("keys", json.dumps({"a": KEY})))).token_keys.current()
    assert formatter.format(record) == "it said [secret] and [secret]"


def test_what_was_learned_long_ago_is_forgotten_and_the_rest_is_not():
    for number in range(100):
        redaction.hide(f"secret-number-{number:03}")
    line = logs.PlainLines().format(logging.makeLogRecord({"msg": "secret-number-000 secret-number-099"}))
    assert line == "secret-number-000 [secret]"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Database(credentials_source="file"), "sql_password_file: expected a file"),
        (lambda: Database(sql_password_file="/p"), "go with credentials_source file"),
        (
            lambda: Database(credentials_source="safeguard", sql_password="x"),
            "goes with credentials_source environment",
        ),
        (
            lambda: Database(
                credentials_source="file", sql_password_file="/p", sql_user="x", sql_user_file="/u"
            ),
            "expected sql_user or sql_user_file, not both",
        ),
        (lambda: Mq(broker_url=BROKER, username="x", password="x", password_file="/p"), "not both"),
        (lambda: Mq(broker_url=BROKER, password_file="/p"), "goes with username"),
        (lambda: Safeguard(host="https://vault"), "expected a host, or host:port"),
        (lambda: Safeguard(host="user@vault"), "expected a host, or host:port"),
        (lambda: Safeguard(host="vault:0"), "expected a host, or host:port"),
        (lambda: Safeguard(client_key="/k"), "client_key goes with client_cert"),
        (lambda: Safeguard(api_version="4"), "String should match pattern"),
        (lambda: Safeguard(timeout="1m"), "less than or equal to 30"),
        (lambda: Idempotency(credentials_source="file"), "token_keys_file: expected a file"),
        (lambda: Idempotency(token_keys_file="/k"), "token_keys_file: expected a file"),
        (
            lambda: Idempotency(credentials_source="safeguard", token_keys={"a": KEY}),
            "token_keys go with credentials_source environment",
        ),
        (
            lambda: Config(
                mq=Mq(broker_url=BROKER, username="x", password="y"), safeguard=Safeguard(mq_api_key="z")
            ),
            "one of them",
        ),
        (lambda: Config(safeguard=Safeguard(mq_api_key="z")), "mq.username: expected the user"),
    ],
)
def test_credentials_that_contradict_each_other_or_lack_something_are_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()
