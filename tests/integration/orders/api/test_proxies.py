"""A proxy is believed where the configuration names it: about certificates, addresses, and https."""

from __future__ import annotations

import logging

import pytest
from django.test import Client, RequestFactory

from orders.api import proxies
from orders.models import OrderEvent
from tests.callers import basic, bearer, person, problem_of, token

pytestmark = pytest.mark.django_db

NEW = '{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'
PROXY, STRANGER = "10.0.0.7", "192.0.2.9"


@pytest.fixture
def behind_a_proxy(configure):
    configure(
        "api",
        trusted_proxies=["10.0.0.0/24", "fd00::/64"],
        client_certificate_header="X-SSL-Client-S-DN",
        client_certificates={"CN=desk-tool,O=Desk": ["read", "create"], "CN=nothing": []},
    )


def with_certificate(subject: str, sender: str = PROXY) -> Client:
    return Client(REMOTE_ADDR=sender, headers={"X-SSL-Client-S-DN": subject})


@pytest.mark.usefixtures("behind_a_proxy")
class TestCertificates:
    def test_a_subject_has_the_scopes_it_is_given(self):
        client = with_certificate("CN=desk-tool,O=Desk")
        assert client.get("/order").status_code == 200
        assert client.post("/order", NEW, content_type="application/json").status_code == 201
        assert OrderEvent.objects.get().actor == "CN=desk-tool,O=Desk"

    def test_a_subject_has_no_other_scopes(self):
        assert problem_of(with_certificate("CN=nothing").get("/order"), 403)["scope"] == "read"

    @pytest.mark.parametrize(
        "subject",
        [
            "CN=other",
            "cn=desk-tool,o=desk",
            "CN=desk-tool",
            "CN=desk-tool,O=Desk ,CN=evil",
            "CN=desk-tool,O=Desk,CN=desk-tool,O=Desk",
        ],
    )
    def test_a_subject_that_is_not_named_to_the_letter_is_refused(self, subject):
        problem_of(with_certificate(subject).get("/order"), 401)

    @pytest.mark.parametrize("sender", [STRANGER, "127.0.0.1", "10.0.1.7", "::1", "", "not an address"])
    def test_the_header_of_anyone_but_a_proxy_is_ignored_and_said_once(self, sender, caplog):
        client = with_certificate("CN=desk-tool,O=Desk", sender)
        with caplog.at_level(logging.WARNING, "orders.api.proxies"):
            for _ in range(3):
                problem_of(client.get("/order"), 401)
        said = [record.message for record in caplog.records if record.name == "orders.api.proxies"]
        assert said == [
            f"X-SSL-Client-S-DN from {sender} is ignored: not one of api.trusted_proxies. Not said again."
        ]

    def test_without_a_certificate_a_proxy_s_empty_header_is_nobody_s(self):
        problem_of(with_certificate("").get("/order"), 401)

    def test_a_token_comes_before_the_certificate(self):
        _, text = token("metrics")
        client = with_certificate("CN=desk-tool,O=Desk")
        response = client.get("/order", headers=bearer(text) | {"X-Forwarded-Proto": "https"})
        problem_of(response, 403)

    @pytest.mark.parametrize("sender", ["::ffff:10.0.0.7", "fd00::1"])
    def test_a_proxy_is_known_by_either_family_of_addresses(self, sender):
        assert with_certificate("CN=desk-tool,O=Desk", sender).get("/order").status_code == 200


def test_without_a_header_configured_no_certificate_is_believed():
    problem_of(with_certificate("CN=desk-tool,O=Desk", "127.0.0.1").get("/order"), 401)


class TestAddresses:
    @pytest.mark.parametrize(
        ("sender", "forwarded", "client"),
        [
            (STRANGER, None, STRANGER),
            (PROXY, None, PROXY),
            (PROXY, STRANGER, STRANGER),
            (PROXY, f"1.1.1.1, {STRANGER}", STRANGER),
            (PROXY, f"{STRANGER}, 10.0.0.8", STRANGER),
            (PROXY, "nonsense", PROXY),
            (PROXY, f"{STRANGER}, nonsense", PROXY),
            (PROXY, "", PROXY),
            (PROXY, "2001:db8::1", "2001:db8::1"),
            ("", None, ""),
        ],
    )
    def test_the_client_is_who_the_nearest_trusted_proxy_says(
        self, behind_a_proxy, sender, forwarded, client
    ):
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        request = RequestFactory().get("/", REMOTE_ADDR=sender, headers=headers)
        assert proxies.client_address(request) == client

    def test_an_ipv6_network_counts_as_one_client(self):
        sites = {
            proxies.client_site(RequestFactory().get("/", REMOTE_ADDR=address))
            for address in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", STRANGER)
        }
        assert sites == {"2001:db8::/64", "2001:db8:0:1::/64", STRANGER}


class TestConfidentiality:
    """Passwords and tokens are not taken where they can be read on the way."""

    @pytest.fixture(params=["token", "password"])
    def credentials(self, request):
        if request.param == "token":
            return bearer(token("read")[1])
        person("anna", "view_order")
        return basic("anna")

    def test_this_host_itself_needs_no_https(self, client, credentials):
        assert client.get("/order", headers=credentials).status_code == 200
        assert client.get("/order", headers=credentials, REMOTE_ADDR="::1").status_code == 200

    def test_another_host_needs_https(self, client, credentials):
        response = client.get("/order", headers=credentials, REMOTE_ADDR=STRANGER)
        assert "https alone" in problem_of(response, 403)["detail"]
        assert client.get("/order", headers=credentials, REMOTE_ADDR=STRANGER, secure=True).status_code == 200

    def test_a_stranger_cannot_claim_https(self, client, credentials):
        claimed = credentials | {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        problem_of(client.get("/order", headers=claimed, REMOTE_ADDR=STRANGER), 403)

    def test_a_trusted_proxy_says_whether_it_was_https(self, client, credentials, behind_a_proxy):
        for scheme, status in (("https", 200), ("http", 403)):
            said = credentials | {"X-Forwarded-Proto": scheme, "X-Forwarded-For": STRANGER}
            assert client.get("/order", headers=said, REMOTE_ADDR=PROXY).status_code == status

    def test_a_client_behind_a_proxy_of_this_host_is_not_this_host(self, client, credentials, configure):
        configure("api", trusted_proxies=["127.0.0.1/32"])
        problem_of(client.get("/order", headers=credentials | {"X-Forwarded-For": STRANGER}), 403)

    def test_a_network_that_encrypts_by_itself_can_be_declared(self, client, credentials, configure):
        configure("api", plain_text_credentials=True)
        assert client.get("/order", headers=credentials, REMOTE_ADDR=STRANGER).status_code == 200

    def test_what_needs_no_credentials_needs_no_https(self, client):
        problem_of(client.get("/order/NONE", REMOTE_ADDR=STRANGER), 404)
