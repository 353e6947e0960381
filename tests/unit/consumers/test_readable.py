from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.readable import readable


def test_a_text_is_shown_as_it_is():
    assert readable('{"symbol": "Zürich"}\n'.encode()) == '{"symbol": "Zürich"}\n'


def test_what_cannot_be_seen_is_escaped():
    assert readable(b"a\x00b\x1b[2Jc\r\td") == r"a\x00b\x1b[2Jc\r\td"


def test_what_turns_text_around_is_escaped():
    assert readable("abc\u202edef".encode()) == r"abc\u202edef"


def test_bytes_are_dumped_with_their_offsets():
    assert readable(b"\xff\xfeABC" + bytes(14)) == (
        "00000000  ff fe 41 42 43 00 00 00 00 00 00 00 00 00 00 00  ..ABC...........\n"
        "00000010  00 00 00                                         ..."
    )


def test_nothing_is_said_to_be_nothing():
    assert readable(b"") == "(empty)"


def test_of_a_long_body_the_beginning_is_shown_and_the_rest_counted():
    assert readable(b"x" * 1_048_576, most=4) == "xxxx\n… and 1,048,572 bytes more"


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5])
def test_a_cut_through_a_character_does_not_turn_text_into_a_dump(most):
    shown = readable("a💩b".encode(), most=most)
    assert shown.startswith("a")
    assert "00000000" not in shown


@given(st.binary(max_size=200), st.integers(1, 100))
def test_any_bytes_can_be_read(body, most):
    assert all(character.isprintable() or character == "\n" for character in readable(body, most=most))
