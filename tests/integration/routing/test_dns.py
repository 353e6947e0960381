"""The router in DNS, asked of a server of our own."""

from __future__ import annotations

import time
from contextlib import ExitStack

import dns.flags
import dns.message
import dns.rcode
import pytest

from routing.registries.dns_srv import DnsRegistry
from routing.registry import RegistryUnavailable, ServiceUnknown
from tests.dns_server import dns_server, records, silence
from tests.ports import free_port

NAME = "_{name}._tcp.trading.internal"


def source(address, *, timeout=2.0, scheme="http", https_only=False):
    host, _, port = address.rpartition(":")
    nameserver = (host, int(port))
    return DnsRegistry(NAME, nameserver=nameserver, timeout=timeout, scheme=scheme, https_only=https_only)


@pytest.fixture
def look_up():
    """`look_up(answer, …)` → what is made of it; `.server` is the one that was asked."""
    with ExitStack() as servers:

        def ask(answer, *, by_udp=None, **options):
            ask.server = servers.enter_context(dns_server(answer, by_udp=by_udp))
            return source(ask.server.address, **options).ask("order-router")

        yield ask


def truncated(query):
    made = dns.message.make_response(query)
    made.flags |= dns.flags.TC
    return made


def test_records_are_instances_with_their_priority_and_weight_the_best_first(look_up):
    found = look_up(records("20 9 8082 spare.example.", "10 1 8082 one.example.", "10 3 8083 two.example."))
    assert [(one.endpoint, one.priority, one.weight) for one in found.instances] == [
        ("http://two.example:8083", 10, 3),
        ("http://one.example:8082", 10, 1),
        ("http://spare.example:8082", 20, 9),
    ]
    assert look_up.server.asked == [("udp", "_order-router._tcp.trading.internal.")]


def test_the_scheme_is_as_configured(look_up):
    found = look_up(records("0 0 443 router.example."), scheme="https", https_only=True)
    assert found.endpoint == "https://router.example:443"


def test_a_truncated_answer_is_asked_for_again_by_tcp(look_up):
    many = [f"10 1 8082 router-with-a-rather-long-name-{n}.trading.internal." for n in range(60)]
    assert len(look_up(records(*many), by_udp=truncated).instances) == 60
    assert [how for how, _ in look_up.server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (records(rcode=dns.rcode.NXDOMAIN), "has no SRV records _order-router._tcp.trading.internal"),
        (records(), "has no SRV records"),
        (records("0 0 0 ."), "decidedly not offered"),
    ],
)
def test_a_name_without_records_and_a_target_that_is_none_say_that_there_is_no_such_service(
    look_up, answer, says
):
    with pytest.raises(ServiceUnknown, match=says):
        look_up(answer)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_refuses_or_fails_is_unavailable(look_up, rcode):
    with pytest.raises(RegistryUnavailable, match=f"answered {dns.rcode.to_text(rcode)}") as told:
        look_up(records(rcode=rcode))
    assert not isinstance(told.value, ServiceUnknown)


def test_a_server_that_says_nothing_is_asked_again_and_given_up_in_time(look_up):
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable, match="timed out"):
        look_up(silence, timeout=0.4)
    assert time.monotonic() - began < 2
    assert len(look_up.server.asked) >= 2


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(RegistryUnavailable, match="did not say SRV"):
        source(f"127.0.0.1:{free_port()}", timeout=0.3).ask("order-router")


def test_a_record_that_cannot_be_called_is_left_out(look_up):
    found = look_up(records("0 0 0 router.example.", "0 0 1 other.example."))
    assert [one.endpoint for one in found.instances] == ["http://other.example:1"]
    with pytest.raises(RegistryUnavailable, match="expected an endpoint"):
        look_up(records("0 0 0 router.example."))


def test_a_name_that_is_none_is_unavailable_and_not_an_accident():
    unusable = DnsRegistry(
        "_x._tcp." + "y" * 64, nameserver=("127.0.0.1", 1), timeout=1, scheme="http", https_only=False
    )
    with pytest.raises(RegistryUnavailable, match="did not say SRV"):
        unusable.ask("order-router")
