import pytest

from tests.unit.orders.messages import FIVE, decoded, refusal


def extra_of(text: str) -> str:
    """What is kept of a body with these unknown fields."""
    return decoded(FIVE[:-1] + b"," + text.encode() + b"}").extra


def test_unknown_fields_are_kept_as_canonical_json():
    assert extra_of('"z": 1, "a": {"y": [true, null], "b": "x"}') == '{"a":{"b":"x","y":[true,null]},"z":1}'


@pytest.mark.parametrize(
    "number", ["1.50", "-0", "-0.00", "123456789012345678901234567890.123456789", "9" * 5000]
)
def test_a_number_in_an_unknown_field_is_kept_to_the_last_digit(number):
    assert extra_of(f'"n": {number}') == f'{{"n":{number}}}'


def test_a_giant_exponent_in_an_unknown_field_stays_one():
    assert extra_of('"n": 1e999999999') == '{"n":1E+999999999}'


def test_unknown_fields_may_nest_to_the_limit_but_not_beyond():
    def nested(levels: int) -> bytes:
        return FIVE[:-1] + b',"a":' + b"[" * levels + b"]" * levels + b"}"

    assert decoded(nested(31)).extra == f'{{"a":{"[" * 31}{"]" * 31}}}'
    assert "nested deeper than 32 levels" in str(refusal(nested(32)))


def test_many_brackets_side_by_side_are_no_depth():
    assert extra_of(f'"a": [{",".join(["{}"] * 100)}]').count("{}") == 100


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "The body is empty", id="empty"),
        pytest.param(b" \n ", "The body is empty", id="blank"),
        pytest.param(b"<order/>", "not JSON: Expecting value at line 1, column 1, near '<order/>'", id="xml"),
        pytest.param(b'{\n"a": 1,\n"b" 2}', "line 3, column 5", id="syntax error"),
        pytest.param(FIVE[:-1], "near its end", id="cut off"),
        pytest.param(FIVE + b"x", "Extra data at line 1, column 90, near 'x'", id="more after its end"),
        pytest.param(b'{"a":"\n"}', "Invalid control character at line 1", id="raw control character"),
        pytest.param(b'{"a":"\x00"}', "Invalid control character", id="raw NUL"),
        pytest.param(b"{'a':1}", "property name enclosed in double quotes", id="single quotes"),
        pytest.param(b'{"a":01}', "not JSON", id="leading zero"),
        pytest.param(b'{"a":.5}', "not JSON", id="no digit before the point"),
        pytest.param(b'{"a":\xff}', "not UTF-8: byte 0xff at offset 5", id="bad UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "not UTF-8", id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\xc0\x80"}', "not UTF-8", id="overlong UTF-8"),
        pytest.param(FIVE.decode().encode("utf-16"), "not UTF-8: byte 0xff at offset 0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + FIVE, "begins with a byte order mark", id="byte order mark"),
        pytest.param(b"[]", "The body is a list; expected a JSON object", id="list"),
        pytest.param(b'"x"', "The body is 'x'; expected a JSON object", id="text"),
        pytest.param(b"null", "The body is null; expected a JSON object", id="null"),
        pytest.param(b"NaN", "The body is NaN", id="NaN alone"),
        pytest.param(b"[" * 200_000, "nested deeper than 32 levels", id="brackets only"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, "nested deeper than 32 levels", id="deep objects"),
        pytest.param(b'{"a":1,"b":2,"a":1}', "The body gives 'a' twice", id="duplicate key"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_says_why(body, words):
    error = refusal(body)
    assert (error.reason, error.path) == ("UNREADABLE", "")
    assert words in str(error)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        pytest.param('"x": NaN', "x", "x is NaN, which JSON does not have", id="NaN"),
        pytest.param('"x": [1, -Infinity]', "x.1", "x.1 is -Infinity", id="Infinity"),
        pytest.param(
            '"x": {"y": [0, {"k": 1, "k": 1}]}', "x.y.1", "x.y.1 gives 'k' twice", id="nested duplicate"
        ),
        pytest.param(
            '"x": 1e99999999999999999999', "x", "x is 1e99999999999999999999", id="number no decimal holds"
        ),
    ],
)
def test_what_is_unreadable_within_a_body_is_refused_with_its_path(text, path, words):
    error = refusal(FIVE[:-1] + b"," + text.encode() + b"}")
    assert (error.reason, error.path) == ("UNREADABLE", path)
    assert words in str(error)
    assert error.order_id == "ORD-20260214-001"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        pytest.param('"x": "a\\u0000b"', "x", "expected text without NUL", id="NUL in a value"),
        pytest.param('"x": {"a\\u0000": 1}', "x.'a\\x00'", "expected text without NUL", id="NUL in a name"),
        pytest.param('"x": ["\\ud800"]', "x.0", "half a surrogate pair", id="lone surrogate"),
        pytest.param('"\\udc00x": 1', "'\\udc00x'", "half a surrogate pair", id="lone surrogate in a name"),
    ],
)
def test_text_that_postgresql_cannot_hold_is_refused_with_its_path(text, path, words):
    error = refusal(FIVE[:-1] + b"," + text.encode() + b"}")
    assert (error.reason, error.path) == ("BAD_VALUE", path)
    assert words in str(error)


def test_a_whole_surrogate_pair_is_one_character():
    assert extra_of('"x": "\\ud83d\\ude00"') == '{"x":"😀"}'


def test_a_message_of_an_error_is_short_whatever_the_body():
    text = '"\\u0000"'
    for _ in range(12):
        text = f'{{"{"n" * 10_000}":[{text}]}}'
    error = refusal(text.encode())
    assert error.reason == "BAD_VALUE"
    assert len(str(error)) < 300
    assert str(error).isprintable()
