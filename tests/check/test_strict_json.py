"""JSON as it is read here: what is refused, with which code, where, and at which bound exactly."""

import json
from typing import Any

import pytest

from executor.check.strict_json import MAX_BYTES, MAX_DEPTH, MAX_SAFE_INTEGER, Flaw, read_json


def flaw(text: str | bytes, **more: Any) -> Flaw:
    with pytest.raises(Flaw) as caught:
        read_json(text, **more)
    assert str(caught.value) == caught.value.message
    return caught.value


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "malformed-json", ""),
        ('{"a": 1', "malformed-json", ""),
        ("{} {}", "malformed-json", ""),
        (b'"\xff"', "malformed-json", ""),
        ("{}".encode("utf-16"), "malformed-json", ""),
        ("NaN", "malformed-json", ""),
        ("[-Infinity]", "malformed-json", ""),
        ('{"a": 1, "a": 1}', "duplicate-key", ""),
        ('{"b": [{"a": 1, "a": 2}]}', "duplicate-key", ""),
        ('["\\ud800"]', "malformed-json", "/0"),
        ('["\\udfff"]', "malformed-json", "/0"),
        ('{"a/b": {"\\udc00": 1}}', "malformed-json", "/a~1b"),
        ('{"~": [0, 1e400]}', "number-out-of-range", "/~0/1"),
        ('{"~": [0, -1e400]}', "number-out-of-range", "/~0/1"),
        ("[9007199254740992]", "number-out-of-range", "/0"),
        ("[-9007199254740992]", "number-out-of-range", "/0"),
        ("[1e16]", "number-out-of-range", "/0"),
        ("1" * 33, "number-out-of-range", ""),
        (nested(MAX_DEPTH + 1), "too-large", "/0" * MAX_DEPTH),
        (nested(200_000), "too-large", ""),
    ],
)
def test_what_is_not_read_is_told_with_its_code_and_place(
    text: str | bytes, code: str, at: str
) -> None:
    found = flaw(text)

    assert (found.code, found.at) == (code, at)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5, true, null, "x"]}', {"a": [1, -2.5, True, None, "x"]}),
        (b' "\xc3\xa9" ', "\u00e9"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("9007199254740991", MAX_SAFE_INTEGER),
        ("-9007199254740991", -MAX_SAFE_INTEGER),
        ("9007199254740991.0", float(MAX_SAFE_INTEGER)),
        ('[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}]),
        ("true", True),
    ],
)
def test_what_is_sound_is_read_as_it_is(text: str | bytes, value: Any) -> None:
    found = read_json(text)

    assert found == value
    assert type(found) is type(value)


def test_the_deepest_document_is_read() -> None:
    assert read_json(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))
    assert read_json('{"a": ' + nested(2) + "}", max_depth=3) == {"a": [[]]}
    assert flaw('{"a": ' + nested(3) + "}", max_depth=3).at == "/a/0/0"


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_the_largest_document_is_read_and_bytes_are_counted(letter: str) -> None:
    room = MAX_BYTES - 2
    size = len(letter.encode())
    text = '"' + letter * (room // size) + '"'

    assert read_json(text) == text[1:-1]
    assert read_json(text.encode()) == text[1:-1]
    assert flaw(text[:-1] + letter + '"').code == "too-large"
    assert flaw((text[:-1] + letter + '"').encode()).code == "too-large"


def test_bounds_of_schemas_may_be_wider_than_what_a_double_counts() -> None:
    assert read_json("9223372036854775807", wide=True) == 2.0**63
    assert read_json("9007199254740991", wide=True) == MAX_SAFE_INTEGER
    assert isinstance(read_json("9007199254740991", wide=True), int)
    assert isinstance(read_json("9007199254740992", wide=True), float)
    assert isinstance(read_json("-9007199254740992", wide=True), float)
    assert flaw("1" * 33, wide=True).code == "number-out-of-range"
    assert read_json("1" * 32, wide=True) == float("1" * 32)
    assert flaw("1e400", wide=True).code == "number-out-of-range"


def test_a_flaw_says_where_a_person_finds_it() -> None:
    assert "line 2, column 1" in flaw('{"a": 1\n"b"}').message
    assert "byte 1" in flaw(b'"\xff"').message
    assert "'a'" in flaw('{"a": 1, "a": 2}').message
    assert str(MAX_DEPTH) in flaw(nested(MAX_DEPTH + 1)).message
