"""Secrets in files: read when they are wanted, and again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from order_entry_project.secrets.file import InFiles
from orders.credentials import CredentialsUnavailable


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "password"


@pytest.fixture
def learned() -> list[str]:
    return []


@pytest.fixture
def secret(file, learned):
    return InFiles("the password", [file], lambda texts: texts[0], learned=learned.append)


@pytest.mark.parametrize("written", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_secret_is_the_text_of_its_file_without_the_line_end_that_editors_add(
    file, secret, learned, written
):
    file.write_bytes(written.encode())
    assert (secret.current(), learned) == ("hunter2", ["hunter2"])


def test_white_space_within_belongs_to_it(file, secret):
    file.write_text(" hunter 2 \n\n")
    assert secret.current() == " hunter 2 \n"


def test_a_file_that_is_overwritten_is_read_again(file, secret):
    file.write_text("one")
    assert secret.current() == "one"
    assert secret.renewed("one", patience=5) is None
    file.write_text("another")
    assert secret.renewed("one", patience=5) == "another"
    assert secret.current() == "another"


def test_a_folder_that_kubernetes_exchanges_is_read_again(tmp_path, learned):
    def mounted(version: str) -> Path:
        folder = tmp_path / f"..{version}"
        folder.mkdir()
        (folder / "username").write_text(f"user-{version}")
        (folder / "password").write_text(f"pass-{version}")
        return folder

    data = tmp_path / "..data"
    data.symlink_to(mounted("1"))
    for name in ("username", "password"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    secret = InFiles("it", [tmp_path / "username", tmp_path / "password"], tuple, learned=learned.append)
    assert secret.current() == ("user-1", "pass-1")
    new = tmp_path / "..new"
    new.symlink_to(mounted("2"))
    new.rename(data)
    assert secret.current() == ("user-2", "pass-2")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "expected a text"),
        (b"\n", "expected a text"),
        (b"a\0b", "without NUL"),
        (b"\xff\xfe", "expected UTF-8"),
        (b"x" * 70_000, "expected at most 65536 bytes"),
    ],
)
def test_what_is_no_secret_is_told_by_its_file_and_the_last_one_stays(file, secret, caplog, content, says):
    def spoil() -> None:
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)

    spoil()
    with pytest.raises(CredentialsUnavailable, match=says) as refused:
        secret.current()
    assert str(file) in str(refused.value)
    file.write_text("hunter2")
    assert secret.current() == "hunter2"
    spoil()
    caplog.clear()
    assert [secret.current() for _ in range(5)] == ["hunter2"] * 5
    (said,) = caplog.messages
    assert said.endswith("; the last one known stays in use")
    assert "hunter2" not in said
    file.write_text("hunter3")
    assert secret.current() == "hunter3"


def test_the_name_of_a_file_and_not_its_text_is_shown(file, secret):
    file.write_text("hunter2")
    secret.current()
    assert repr(secret) == f"<the password from {file}>"
