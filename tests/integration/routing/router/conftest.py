from __future__ import annotations

import pytest

from routing.router import RouterClient
from tests.integration.routing.router.calls import post
from tests.integration.routing.turning import turn_until


@pytest.fixture
def make_client(reactor):
    clients = []

    def make(*, timeout=2.0, in_flight=1):
        clients.append(RouterClient(reactor, timeout=timeout, in_flight=in_flight))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def ask(reactor):
    """One call, waited for."""

    def ask(client, endpoint, **options):
        answers = []
        post(client, endpoint, answers.append, **options)
        turn_until(reactor, lambda: answers)
        return answers[0]

    return ask
