"""The effective configuration: every key with its source, no secret ever."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from pydantic import BaseModel, SecretStr

from order_entry_project.config import Config, load
from order_entry_project.config.api import Api
from order_entry_project.config.console import Console
from order_entry_project.effective import MASK, entries, shown

CANARY = "canary-that-sings"


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The configuration of a file's text and variables, in force for the commands as well."""

    def load_text(text="", **variables):
        for name in [name for name in os.environ if name.startswith("ORDER_ENTRY__")]:
            monkeypatch.delenv(name)
        (tmp_path / "order-entry.yaml").write_text(text)
        monkeypatch.setenv("ORDER_ENTRY_CONFIG", str(tmp_path / "order-entry.yaml"))
        for name, value in variables.items():
            monkeypatch.setenv(f"ORDER_ENTRY__{name}", value)
        config = load()
        monkeypatch.setattr(settings, "CONFIG", config)
        return config

    return load_text


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("show_config", *arguments, stdout=out)
    return out.getvalue()


def source(config, section, key):
    (entry,) = [entry for entry in entries(config) if (entry.section, entry.key) == (section, key)]
    return entry.source


class TestSources:
    def test_a_key_comes_from_the_environment_before_the_file_before_the_default(self, loaded, tmp_path):
        config = loaded("mq: {batch_size: 10, max_retries: 4}", MQ__BATCH_SIZE="50", DATABASE__SQL_HOST="db")
        assert source(config, "mq", "batch_size") == "ORDER_ENTRY__MQ__BATCH_SIZE"
        assert source(config, "mq", "max_retries") == str(tmp_path / "order-entry.yaml")
        assert source(config, "mq", "heartbeat") == "default"
        assert source(config, "database", "sql_host") == "ORDER_ENTRY__DATABASE__SQL_HOST"

    def test_a_value_that_is_the_default_all_the_same_comes_from_where_it_is_said(self, loaded, tmp_path):
        config = loaded("mq: {heartbeat: 30}")
        assert source(config, "mq", "heartbeat") == str(tmp_path / "order-entry.yaml")

    def test_a_section_given_as_json_is_named_as_the_variable_it_is(self, loaded):
        config = loaded(MQ='{"batch_size": 7}', MQ__MAX_RETRIES="5")
        assert config.mq.batch_size == 7
        assert source(config, "mq", "batch_size") == "ORDER_ENTRY__MQ"
        assert source(config, "mq", "max_retries") == "ORDER_ENTRY__MQ__MAX_RETRIES"

    def test_every_key_is_listed_once(self, loaded):
        listed = [(entry.section, entry.key) for entry in entries(loaded())]
        assert listed == [
            (section, key)
            for section, field in Config.model_fields.items()
            for key in field.annotation.model_fields
        ]


class TestTheCommand:
    def test_prints_yaml_that_says_what_is_in_force(self, loaded):
        loaded("mq: {consumer_queue: [A, 'B: c'], queue_type: classic, broker_url: 'amqp://broker'}")
        text = printed()
        read = yaml.safe_load(text)
        assert read["mq"]["consumer_queue"] == ["A", "B: c"]
        assert read["service"]["port"] == 8081
        assert read["database"]["sql_password"] is None
        assert set(read) == set(Config.model_fields)

    def test_says_the_same_in_json(self, loaded):
        loaded("service: {port: 9000}")
        told = json.loads(printed("--json"))
        read = yaml.safe_load(printed())
        assert {
            section: {key: entry["value"] for key, entry in keys.items()} for section, keys in told.items()
        } == read
        assert told["service"]["port"]["source"].endswith("order-entry.yaml")

    def test_prints_one_section_where_one_is_asked_for(self, loaded):
        loaded()
        assert list(yaml.safe_load(printed("router"))) == ["router"]
        assert list(json.loads(printed("--json", "router"))) == ["router"]


def planted(section: type[BaseModel]) -> tuple[BaseModel, int]:
    """The section with a canary in each key that can hold a secret, and in how many that is."""
    held: dict[str, Any] = {}
    for key, field in section.model_fields.items():
        kinds = {field.annotation, *get_args(field.annotation)}
        inner = {kind for each in kinds for kind in get_args(each)} | kinds
        if SecretStr in kinds:
            held[key] = SecretStr(CANARY)
        elif any(SecretStr in (get_args(kind) or ()) for kind in inner) or SecretStr in inner:
            held[key] = {"name": SecretStr(CANARY)}
        elif str in kinds and any(word in key for word in ("url", "endpoint", "host")):
            held[key] = f"amqps://user:{CANARY}@host,other:5671/path"
    return section().model_copy(update=held), len(held)


class TestSecrets:
    def test_in_every_key_that_may_hold_one_are_masked(self, monkeypatch):
        sections = {name: planted(field.annotation) for name, field in Config.model_fields.items()}
        assert sum(count for _, count in sections.values()) >= 8
        config = load().model_copy(update={name: section for name, (section, _) in sections.items()})
        monkeypatch.setattr(settings, "CONFIG", config)
        for text in (printed(), printed("--json")):
            assert CANARY not in text
            assert MASK in text
            assert "amqps://user:" in text

    def test_are_masked_whatever_type_of_key_holds_them(self):
        class Section(BaseModel):
            secret: SecretStr = SecretStr(CANARY)
            many: list[SecretStr] = [SecretStr(CANARY)]
            named: Mapping[str, SecretStr] = {"a": SecretStr(CANARY)}
            file: Path = Path("/etc/key.pem")

        assert shown(Section()) == {
            "secret": MASK,
            "many": [MASK],
            "named": {"a": MASK},
            "file": "/etc/key.pem",
        }

    @pytest.mark.parametrize(
        ("url", "masked"),
        [
            ("redis://:pw@host:6379/0", f"redis://:{MASK}@host:6379/0"),
            ("amqp://u:p@ss@a,b:1/v", f"amqp://u:{MASK}@a,b:1/v"),
            ("user:pw@registry:8090", f"user:{MASK}@registry:8090"),
            ("amqp://user@host", "amqp://user@host"),
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("registry:8090", "registry:8090"),
            ("orderStatus:{orderId}", "orderStatus:{orderId}"),
        ],
    )
    def test_in_urls_are_masked_and_nothing_else_is(self, url, masked):
        assert shown(url) == masked


def test_decimal_numbers_and_networks_are_shown_as_text_that_json_takes():
    networks, notional = Api(trusted_proxies=["10.0.0.0/8"]), Console(four_eyes_above="1000000.50")
    assert json.loads(json.dumps(shown(networks)))["trusted_proxies"] == ["10.0.0.0/8"]
    assert json.loads(json.dumps(shown(notional)))["four_eyes_above"] == "1000000.50"
