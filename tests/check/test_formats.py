"""Formats: which exclude each other, which nobody checks, and which are kinds of their author."""

import pytest

from executor.check.flow import Flow
from executor.check.formats import format_flow

# What JSON Schema and OpenAPI's registry of formats name.
STANDARD = """
    date date-time time duration email idn-email hostname idn-hostname ipv4 ipv6 uri uri-reference
    iri iri-reference uuid uri-template json-pointer relative-json-pointer regex
    base64url binary byte char commonmark decimal decimal128 double double-int float html http-date
    int8 int16 int32 int64 media-range password sf-binary sf-boolean sf-decimal sf-integer sf-string
    sf-token uint8 uint16 uint32 uint64 unixtime
""".split()
APART = ("date", "date-time", "time", "duration", "email", "uuid", "ipv4", "ipv6")


@pytest.mark.parametrize("name", STANDARD)
def test_a_format_of_a_standard_is_no_kind_of_its_author(name: str) -> None:
    nobody_checks = name in ("byte", "binary", "password")

    assert format_flow(name, "shoe-size") is Flow.UNKNOWN
    assert format_flow("shoe-size", name) is (Flow.YES if nobody_checks else Flow.UNKNOWN)
    assert format_flow(name, name) is Flow.YES
    assert format_flow(None, name) is (Flow.YES if nobody_checks else Flow.UNKNOWN)


def test_two_kinds_of_an_author_are_two_things() -> None:
    assert format_flow("shoe-size", "hat-size") is Flow.NO
    assert format_flow("shoe-size", "shoe-size") is Flow.YES
    assert format_flow("shoe-size", 1) is Flow.UNKNOWN
    assert format_flow(1, "shoe-size") is Flow.UNKNOWN


def test_no_value_has_two_formats_that_exclude_each_other() -> None:
    excluded = {
        (one, other) for one in STANDARD for other in STANDARD if format_flow(one, other) is Flow.NO
    }
    no_uri = [name for name in APART if name not in ("email", "ipv6")]

    assert excluded == {
        *((one, other) for one in APART for other in APART if one != other),
        *((name, "uri") for name in no_uri),
        *(("uri", name) for name in no_uri),
    }
