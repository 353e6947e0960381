"""Log lines: JSON a machine can join, and no secret among them."""

import json
import logging
import logging.config

import pytest
from opentelemetry.attributes import BoundedAttributes

from order_entry_project import logs, redaction
from order_entry_project.config import Api, Config, Database, Idempotency, Logs, Mq, Telemetry


@pytest.fixture
def configured(tmp_path):
    """Logging as a configuration with secrets sets it up; undone afterwards."""
    config = Config(
        logs=Logs(folder=tmp_path, console="json"),
        mq=Mq(broker_url="amqps://svc:broker-canary@mq:5671"),
        database=Database(sql_password="sql-canary"),
        api=Api(secret_key="key-canary"),
        telemetry=Telemetry(otlp_headers={"x-api-key": "header-canary"}),
        idempotency=Idempotency(token_keys={"a": "token-canary" + "k" * 32}),
    )
    logging_config = logs.logging_config(config)
    loggers = [logging.root, *map(logging.getLogger, logging_config["loggers"])]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    logging.config.dictConfig(logging_config)
    redaction.know(redaction.secrets_of(config))
    yield tmp_path
    for logger, handlers, level, propagate in before:
        for handler in set(logger.handlers) - set(handlers):
            handler.close()
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.log").read_text().splitlines()]


def test_each_line_is_an_object_with_what_happened_and_to_which_order(configured):
    logging.getLogger("order_entry").info("routed", extra={"orderId": "ORD-1", "messageId": "m-1"})
    (line,) = lines(configured, "order_entry")
    assert {"time", "level", "logger", "instance", "pid"} <= set(line)
    assert (line["message"], line["orderId"], line["messageId"]) == ("routed", "ORD-1", "m-1")


@pytest.mark.parametrize(
    "secret", ["broker-canary", "sql-canary", "key-canary", "header-canary", "token-canary" + "k" * 32]
)
def test_a_secret_never_gets_through(configured, secret):
    logging.getLogger("sql_errors").error("it said %s", secret, extra={"detail": f"x{secret}y"})
    text = (configured / "sql_errors.log").read_text()
    assert secret not in text
    assert text.count("[secret]") == 2


def test_a_password_in_any_url_is_blotted_out(configured):
    logging.getLogger("router_calls").info("at amqp://me:other-secret@host:1/x")
    assert lines(configured, "router_calls")[0]["message"] == "at amqp://me:[secret]@host:1/x"


def test_a_file_that_logrotate_has_moved_is_opened_anew(configured):
    logger = logging.getLogger("order_entry")
    logger.info("one")
    (configured / "order_entry.log").rename(configured / "order_entry.log.1")
    logger.info("two")
    assert [line["message"] for line in lines(configured, "order_entry")] == ["two"]


def test_without_a_folder_orders_and_calls_are_not_logged_at_all(tmp_path):
    config = logs.logging_config(Config(logs=Logs()))
    assert config["loggers"]["order_entry"]["level"] == "CRITICAL"
    assert config["loggers"]["sql_errors"]["propagate"] is True


def test_an_attribute_cut_off_as_configured_is_no_warning(configured, caplog):
    BoundedAttributes(attributes={"db.query.text": "SELECT " * 1000}, max_value_len=4096)
    assert caplog.messages == []
