"""The keys of the API: what contradicts itself is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from order_entry_project.config import Api
from orders.scopes import Scope

CERTIFICATES = {"client_certificates": {"CN=a": ["read"]}}
HEADER = {"client_certificate_header": "X-SSL-Client-S-DN"}
PROXIES = {"trusted_proxies": ["10.0.0.0/8", "::1"]}


def test_certificates_have_a_header_and_a_proxy():
    api = Api.model_validate(CERTIFICATES | HEADER | PROXIES)
    assert api.client_certificates == {"CN=a": [Scope.READ]}
    assert [str(network) for network in api.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (CERTIFICATES, "go together"),
        (HEADER | PROXIES, "go together"),
        (CERTIFICATES | HEADER, "goes with trusted_proxies"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "host bits set"),
        ({"trusted_proxies": ["proxy.internal"]}, "does not appear to be an IPv4 or IPv6 network"),
        ({"client_certificate_header": "X SSL"}, "expected the name of a header"),
        ({"client_certificate_header": "X_SSL"}, "expected the name of a header"),
        (
            HEADER | PROXIES | {"client_certificates": {"CN=a": ["all"]}},
            "'read', 'create', 'operate' or 'metrics'",
        ),
        (HEADER | PROXIES | {"client_certificates": {"x" * 151: ["read"]}}, "at most 150"),
        ({"throttle_anonymous": "fast"}, "expected a rate such as 10/s"),
        ({"max_body": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(keys, says):
    with pytest.raises(ValidationError, match=says):
        Api.model_validate(keys)
