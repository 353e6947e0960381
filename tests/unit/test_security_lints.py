"""What `make check` says of security: findings are explained or errors, and an audit that cannot be made is said."""

import importlib.util
import json
import sys

import pytest

from tests.checkout import ROOT


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lint, audit = script("lint_security"), script("audit_packages")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import pickle", "B403"),
        ("import pickle  # nosec: B403 - a test", None),
        ("import pickle  # noqa: S403 - a test", None),
        ("import pickle  # nosec: B403", "B403"),
        ("import pickle  # nosec", "B403"),
        ("import pickle  # nosec: B404 - another", "B403"),
        ("import pickle  # noqa: S40 - another", "B403"),
    ],
)
def test_a_finding_needs_a_reason(tmp_path, capsys, line, found):
    (tmp_path / "code.py").write_text(f"{line}\n")
    assert lint.main((str(tmp_path),)) == bool(found)
    assert (found or "nothing that is not explained") in capsys.readouterr().out


def test_a_reason_may_stand_at_any_line_of_a_statement(tmp_path):
    code = 'ask = f"""SELECT\n{table}\nFROM x"""  # nosec: B608 - a constant\n'
    (tmp_path / "code.py").write_text(f"table = 1\n{code}")
    assert lint.main((str(tmp_path),)) == 0


def test_what_cannot_be_read_is_no_silent_success(tmp_path):
    (tmp_path / "code.py").write_text("def (")
    with pytest.raises(SystemExit, match="could not read everything"):
        lint.main((str(tmp_path),))


@pytest.fixture
def answered(tmp_path, monkeypatch):
    """In place of pip-audit, whatever a test has it say."""

    def answer(said, error="", code=0):
        program = tmp_path / "answer"
        speech = f"sys.stdout.write({said!r})\nsys.stderr.write({error!r})\nsys.exit({code})\n"
        program.write_text(f"#!{sys.executable}\nimport sys\n{speech}")
        program.chmod(0o755)
        monkeypatch.setattr(audit.sys, "executable", str(program))

    return answer


def report(*packages):
    return json.dumps({"dependencies": packages})


GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def test_a_known_vulnerability_is_an_error_that_says_what_fixes_it(answered, capsys):
    answered(report(GOOD, BAD), code=1)
    assert audit.main() == 1
    assert capsys.readouterr().out == "bad 2: CVE-1, fixed in 2.1\n"


def test_where_none_is_known_it_says_of_how_many_and_of_whom_nothing_is_known(answered, capsys):
    answered(report(GOOD, UNKNOWN))
    assert audit.main() == 0
    assert (
        capsys.readouterr().out == "Nothing is known of unknown.\nNo vulnerability is known in 1 packages.\n"
    )


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        ("", "Traceback\nConnectionError: nobody there", "ConnectionError: nobody there"),
        ("", "", "pip-audit ended with 1"),
        # pip-audit itself calls this "No known vulnerabilities found".
        (report(UNKNOWN, UNKNOWN), "", "not found"),
    ],
)
def test_where_nobody_can_be_asked_it_is_skipped_and_says_why(answered, capsys, said, error, reason):
    answered(said, error, code=1)
    assert audit.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("SKIPPED: packages are not audited")
    assert said.count(reason) == 2
