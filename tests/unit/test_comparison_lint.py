"""The lint rule that secrets are compared by hmac.compare_digest alone."""

import importlib.util

import pytest

from tests.checkout import ROOT

_spec = importlib.util.spec_from_file_location("lint_comparisons", ROOT / ".ci" / "lint_comparisons.py")
lint = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lint)


@pytest.mark.parametrize(
    "source",
    [
        "given == token",
        "self._password != given",
        "given in api_tokens",
        "key not in signatures.values()",
        "config.sql_password.get_secret_value() == given",
        "hmac.digest(key, body, 'sha256') == given",
        "hmac.new(key, body, 'sha256').hexdigest() == given",
        "request.headers['x-signature-v1'.lower()] == signature",
        "fields['client_secret'] == given",
        "first < second == mac_of_body",
        "(await password()) == given",
        "if (\n    given\n    == secret\n):\n    pass",
    ],
)
def test_a_comparison_of_secrets_is_found(source):
    ((line, text),) = lint.findings(source)
    assert line == (2 if source.startswith("if") else 1)
    assert text


@pytest.mark.parametrize(
    "source",
    [
        "hmac.compare_digest(token, given)",
        "token is None",
        "password == ''",
        "token in ('a', 'b')",
        "len(token) > 5 and len(token) != longest",
        "order.digest == other.digest",
        "tokenizer == machine",
        "count(token) == 5",
        "signature == seen  # compares no guess: of a file's times",
    ],
)
def test_what_tells_nothing_of_a_secret_is_left_alone(source):
    assert list(lint.findings(source)) == []


def test_an_exception_without_a_reason_is_none():
    assert list(lint.findings("token == given  # compares no guess:"))


def test_the_service_has_none(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint.main() == 0, capsys.readouterr().out
