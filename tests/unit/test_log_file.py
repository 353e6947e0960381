import logging
import resource
import threading

import pytest

from order_entry_project import log_file
from order_entry_project.log_file import LogFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "order_entry.log"


@pytest.fixture
def log(path):
    file = LogFile(str(path))
    file.setFormatter(logging.Formatter("%(message)s"))
    yield lambda text: file.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))
    file.close()


@pytest.fixture
def said(caplog):
    return lambda: [record.getMessage() for record in caplog.records if record.name == log_file.__name__]


def test_nothing_is_made_before_there_is_a_line(log, path):
    assert not path.exists()
    log("one")
    assert path.read_text() == "one\n"
    assert path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("made_anew", [True, False], ids=["create", "nocreate"])
def test_a_file_that_was_moved_is_opened_anew(log, path, made_anew):
    log("one")
    path.rename(path.with_suffix(".1"))
    if made_anew:
        path.touch()
    log("two\nthree")
    assert path.with_suffix(".1").read_text() == "one\n"
    assert path.read_text() == "two\nthree\n"


def test_a_file_that_was_removed_is_made_anew(log, path):
    log("one")
    path.unlink()
    log("two")
    assert path.read_text() == "two\n"


def test_lines_of_several_writers_do_not_mix(log, path):
    long = ["x" * 100_000, "y" * 100_000]
    writers = [threading.Thread(target=lambda text=text: [log(text) for _ in range(20)]) for text in long]
    others = LogFile(str(path))
    others.setFormatter(logging.Formatter("%(message)s"))
    for writer in writers:
        writer.start()
    for _ in range(20):
        others.handle(logging.makeLogRecord({"msg": "z" * 100_000}))
    for writer in writers:
        writer.join()
    others.close()
    lines = path.read_text().splitlines()
    assert {line: lines.count(line) for line in set(lines)} == {name * 100_000: 20 for name in "xyz"}


def test_what_has_no_room_is_counted_and_said_once_at_either_end(log, path, said):
    path.symlink_to("/dev/full")
    log("one")
    log("two\nthree")
    assert said() == [
        f"{path} cannot be written, lines are missing from now on: [Errno 28] No space left on device"
    ]
    path.unlink()
    log("four")
    log("five")
    assert path.read_text() == "four\nfive\n"
    assert said()[1:] == [f"{path} is written again, 3 lines are missing"]


def test_a_line_that_the_disk_took_half_of_does_not_spoil_the_next(log, path, said):
    log("one")
    room = 1 << 24
    with path.open("r+") as file:
        file.truncate(room)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room + 3, hard))
    try:
        log("abcdef")
        log("not at all")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log("two")
    assert path.read_bytes()[room:] == b"abc\ntwo\n"
    assert "2 lines are missing" in said()[-1]


def test_a_folder_that_is_gone_stops_nobody(tmp_path, said):
    file = LogFile(str(tmp_path / "gone" / "order_entry.log"))
    file.handle(logging.makeLogRecord({"msg": "one"}))
    assert "No such file or directory" in said()[0]
    file.close()
