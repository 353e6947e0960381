"""A canary in every place of the configuration that can hold a secret is found, and sings nowhere."""

from __future__ import annotations

import json
import logging
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from pydantic import BaseModel, SecretStr

from order_entry_project import logs, redaction
from order_entry_project.config import Config, ConfigError, Mq, load
from tests.unit.test_effective import CANARY, planted


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    for name, value in (("_configured", ()), ("_learned", ()), ("_written", ())):
        monkeypatch.setattr(redaction, name, value)


def everywhere() -> Config:
    sections = {name: planted(field.annotation)[0] for name, field in Config.model_fields.items()}
    return load().model_copy(update=sections)


def line(message: str) -> str:
    return logs.PlainLines().format(logging.makeLogRecord({"msg": message}))


def test_every_secret_of_the_configuration_is_known():
    """As many as were planted: each key that is a secret, and each URL."""
    count = sum(planted(field.annotation)[1] for field in Config.model_fields.values())
    assert count >= 8
    assert redaction.secrets_of(everywhere()) == [CANARY] * count


def test_the_configuration_does_not_show_them_when_it_is_printed():
    config = everywhere()
    for shown in (repr(config), str(config), repr(config.mq), str(config.redis), f"{vars(config)}"):
        assert CANARY not in shown
    assert "broker_url='amqps://user:**********@host,other:5671/path'" in repr(config.mq)


def test_diffsettings_shows_settings_without_them(monkeypatch):
    config = everywhere()
    monkeypatch.setattr(settings, "CONFIG", config)
    monkeypatch.setattr(settings, "SECRET_KEY", CANARY)
    monkeypatch.setattr(settings, "BROKER", config.mq.broker_url, raising=False)
    redaction.know([*redaction.secrets_of(config), settings.SECRET_KEY])
    out = StringIO()
    call_command("diffsettings", "--all", stdout=out)
    assert "SECRET_KEY = '[secret]'" in out.getvalue()
    assert "ROOT_URLCONF" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_settings_themselves_make_the_signing_key_known():
    assert settings.SECRET_KEY
    redaction.know([*redaction.secrets_of(settings.CONFIG), settings.SECRET_KEY])
    assert line(f"signed with {settings.SECRET_KEY}") == "signed with [secret]"


@pytest.mark.parametrize("secret", ['qu"ote', "back\\slash", "ümlaut", "per%cent", "l'apostrophe", "a/b c"])
def test_a_secret_is_blotted_out_in_whatever_form_it_is_written(secret):
    redaction.know([secret])
    for form in (secret, json.dumps(secret, ensure_ascii=False), repr(secret), f"{[secret]}"):
        assert secret not in line(form)
        assert "[secret]" in line(form)


def test_a_password_that_a_url_bears_encoded_is_blotted_out_as_it_is_as_well():
    redaction.know(redaction.secrets_of(Mq(broker_url="amqp://me:p%40ss%2Cword@127.0.0.1")))
    assert line("refused p%40ss%2Cword, which is p@ss,word") == "refused [secret], which is [secret]"


def test_a_password_with_a_comma_is_one_password():
    assert redaction.secrets_of(Mq(broker_url="amqp://me:left,right@a.test,b.test:1")) == ["left,right"]


def test_what_a_longer_secret_contains_does_not_tell_the_rest_of_it():
    redaction.know(["hunter2", "hunter2-and-more"])
    assert line("it is hunter2-and-more") == "it is [secret]"


def test_what_is_hardly_a_secret_is_left_alone():
    redaction.know(["abc", ""])
    redaction.hide("xyz")
    assert line("abcdef xyz") == "abcdef xyz"


def test_secrets_are_found_however_deep_they_lie():
    class Inner(BaseModel):
        keys: list[SecretStr] = [SecretStr("in-a-list")]

    class Outer(BaseModel):
        inner: Inner = Inner()
        named: dict[str, SecretStr] = {"a": SecretStr("in-a-dict")}

    assert redaction.secrets_of(Outer()) == ["in-a-list", "in-a-dict"]


WRONG = [
    ("DATABASE__SQL_PORT", f'"{CANARY}"', False),  # no secret: it is said what it holds
    ("DATABASE", f'"{CANARY}"', True),
    ("DATABASE", f'{{"sql_password": "{CANARY}"', True),
    ("DATABASE", f'{{"sql_password": ["{CANARY}"]}}', True),
    ("DATABASE", f'{{"sql_password": "{CANARY}", "credentials_source": "file"}}', True),
    ("IDEMPOTENCY__TOKEN_KEYS", f'["{CANARY}"]', True),
    ("IDEMPOTENCY__TOKEN_KEYS", f'{{"a": "{CANARY}"}}', True),
    ("IDEMPOTENCY__TOKEN_KEYS", f'{{"a": {{"b": "{CANARY}"}}}}', True),
    ("IDEMPOTENCY__TOKEN_KEYS", CANARY, True),
    ("SAFEGUARD__HOST", f"https://me:{CANARY}@host", True),
    ("TELEMETRY__OTLP_HEADERS", f'{{"x y": "{CANARY}"}}', True),
    ("TELEMETRY__OTLP_ENDPOINT", f"https://me:{CANARY}@host", True),
    ("MQ__BROKER_URL", f"http://me:{CANARY}@host", True),
    ("MQ__BROKER_URL", f"amqp://me:{CANARY}@host:no-port", True),
    ("REDIS__URL", f"http://me:{CANARY}@host", True),
    ("SERVICE_REGISTRY__ENDPOINT", f"ftp://me:{CANARY}@host", True),
    ("AEROSPIKE__SEED_HOSTS", f'["me:{CANARY}@host:3000"]', True),
]


@pytest.mark.parametrize(
    ("name", "value", "secret"), WRONG, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(WRONG)]
)
def test_a_configuration_that_is_refused_does_not_tell_them(monkeypatch, name, value, secret):
    monkeypatch.setenv(f"ORDER_ENTRY__{name}", value)
    with pytest.raises(ConfigError) as refusal:
        load()
    assert (CANARY in str(refusal.value)) is not secret
    assert (
        name.split("__")[-1].lower() in str(refusal.value)
        or name.split("__")[0].lower() in str(refusal.value).lower()
    )


@pytest.mark.parametrize(
    "text",
    [
        f"database: {{sql_password: *{CANARY}}}",
        f"database: {{sql_password: !{CANARY} x}}",
        f"database: {{sql_password: {CANARY}",
        f"database:\n\tsql_password: {CANARY}",
        f"database: {CANARY}",
        f"- {CANARY}",
        f"api: {{secret_key: [{CANARY}]}}",
        f"safeguard: {{sql_api_key: {{a: {CANARY}}}}}",
        f"router: {{timeout: {CANARY}",
    ],
)
def test_a_file_that_cannot_be_read_does_not_tell_them(monkeypatch, tmp_path, text):
    file = tmp_path / "order-entry.yaml"
    file.write_text(text)
    monkeypatch.setenv("ORDER_ENTRY_CONFIG", str(file))
    with pytest.raises(ConfigError, match=r"order-entry\.yaml") as refusal:
        load()
    assert CANARY not in str(refusal.value)
