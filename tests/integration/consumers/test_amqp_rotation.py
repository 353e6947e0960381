"""A broker's password that changes while a consumer is connected, from a real Safeguard server."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from django.conf import settings

from consumers.amqp_parameters import broker_parameters
from order_entry_project.config import Safeguard
from order_entry_project.neighbours import Queue
from order_entry_project.secrets import kept
from tests.doubles.safeguard import Appliance
from tests.waiting import wait_until

FIRST, SECOND = "first-canary-1", "second-canary-2"


@pytest.fixture
def account(amqp, rabbitmq, tmp_path, monkeypatch):
    """The broker's user of the bench, whose password is in Safeguard."""
    monkeypatch.setattr(kept, "_PAUSE", 0.05)
    user = f"user-{uuid4().hex}"
    rabbitmq.add_user(user, FIRST)
    # Undone before the bench's own changes: the last to be undone says what the tests after these find.
    with Appliance(tmp_path) as appliance, pytest.MonkeyPatch.context() as patch:
        account = appliance.add(user, FIRST)
        vault = Safeguard(
            host=appliance.host,
            client_cert=appliance.client_cert,
            ca_cert=appliance.ca_cert,
            mq_api_key=account.api_key,
        )
        patch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"safeguard": vault}))
        amqp.configure(username=user)
        account.appliance = appliance
        yield account
        settings.CREDENTIALS.mq.close()


def rotate(rabbitmq, account) -> None:
    rabbitmq.ctl("change_password", account.name, SECOND)
    account.password = SECOND
    # Longer than the pause between two questions: what was asked just before the change is not asked again at once.
    time.sleep(0.1)


def test_a_consumer_that_is_refused_asks_once_and_is_let_in(amqp, account, rabbitmq, caplog):
    consumer = amqp.consumer()
    amqp.put(b"before")
    consumer.await_deliveries(1)
    rotate(rabbitmq, account)
    asked = len(account.appliance.asked)
    amqp.cut()
    amqp.loop.until(lambda: consumer.ups > 1)
    amqp.put(b"after")
    consumer.await_deliveries(2)
    assert "the broker refused the user name, password or certificate" in caplog.text
    assert len(account.appliance.asked) - asked == 1
    assert [secret for secret in (FIRST, SECOND) if secret in caplog.text] == []


def test_a_poll_in_time_spares_the_refusal(amqp, account, rabbitmq, caplog):
    consumer = amqp.consumer()
    rotate(rabbitmq, account)
    source = settings.CREDENTIALS.mq
    source.renewed(source.current(), patience=5)
    (parameters,) = broker_parameters(purpose="is examined")
    assert parameters.credentials.password == SECOND
    amqp.cut()
    amqp.loop.until(lambda: consumer.ups > 1)
    assert "refused" not in caplog.text


def test_a_health_check_that_is_refused_has_the_password_asked_for(amqp, account, rabbitmq):
    broker_parameters(purpose="comes to know the first")
    rotate(rabbitmq, account)
    with pytest.raises(Exception, match=r"AuthenticationError|ACCESS_REFUSED"):
        Queue().run()
    wait_until(
        lambda: settings.CREDENTIALS.mq.current().password == SECOND, what="the second password", patience=5
    )
    Queue().run()


def test_without_safeguard_the_broker_waits_and_says_why(amqp, account):
    with account.appliance.outage():
        consumer = amqp.unstarted(consume=True)
        consumer.transport.start(consumer)
        amqp.loop.until(lambda: consumer.downs)
    assert "the broker's password: Safeguard localhost" in str(consumer.downs)
    amqp.loop.until(lambda: consumer.ups)
