"""Bodies of a request: forms, forms of parts, files, and bytes of another type."""

import base64

import pytest
from connector_cases import (
    Raw,
    document,
    operation,
)
from openapi_wire import BYTES, FORM, PARTS, TEXT, Sent, members, with_body
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Refused
from connectors.openapi.extract import extract
from connectors.openapi.files import MOST_FILE_BYTES
from connectors.spec import JsonObject
from connectors.validate import first_flaw

TEXTS: JsonObject = {"type": "array", "items": TEXT}
OBJECT: JsonObject = {"type": "object"}


@pytest.mark.parametrize(
    ("encoding", "value", "body"),
    [
        (None, "a b&c=é", b"m=a+b%26c%3D%C3%A9"),
        (None, True, b"m=true"),
        (None, ["x", "y"], b"m=x&m=y"),
        (None, {"b": [1]}, b"m=%7B%22b%22%3A%5B1%5D%7D"),
        (None, [{"b": 1}], b"m=%7B%22b%22%3A1%7D"),
        ({"style": "deepObject", "explode": True}, {"a": {"b": 1}}, b"m%5Ba%5D%5Bb%5D=1"),
        (
            {"style": "deepObject", "explode": True},
            [{"price": "p1", "n": 2}, {"price": "p2"}],
            b"m%5B0%5D%5Bprice%5D=p1&m%5B0%5D%5Bn%5D=2&m%5B1%5D%5Bprice%5D=p2",
        ),
        ({"style": "form", "explode": False}, ["x", "y"], b"m=x%2Cy"),
        ({"style": "spaceDelimited", "explode": False}, ["x", "y"], b"m=x+y"),
        ({"contentType": "application/json"}, ["x"], b"m=%5B%22x%22%5D"),
    ],
)
async def test_a_form_is_written_as_its_encoding_says(
    encoding: JsonValue, value: JsonValue, body: bytes, sent: Sent, raw: Raw
) -> None:
    schema = members(m={})
    found = with_body(FORM, schema, encoding={} if encoding is None else {"m": encoding})

    assert await sent(found, {"m": value}) == Applied({})
    assert raw.received[-1].partition(b"\r\n\r\n")[2] == body
    assert f"content-type: {FORM}" in raw.head().splitlines()


async def test_a_form_that_is_more_than_its_members_is_written_by_the_same_rules(
    sent: Sent, raw: Raw
) -> None:
    schema: JsonObject = {"allOf": [members(a=TEXT), members(b=OBJECT)]}
    found = with_body(FORM, schema, encoding={"b": {"style": "deepObject", "explode": True}})

    await sent(found, {"body": {"a": "1", "b": {"c": "2"}, "d": [3, 4]}})

    assert raw.received[-1].endswith(b"\r\n\r\na=1&b%5Bc%5D=2&d=3&d=4")


async def test_our_key_travels_in_a_form(sent: Sent, raw: Raw) -> None:
    key: JsonObject = {"in": "body", "name": "key", "window_s": 60}
    said: JsonObject = {"actions": {"do_it": {"effect": "keyed", "idempotency": key}}}

    await sent(with_body(FORM, members(a=TEXT)), {"a": "b"}, overlay=said)

    assert raw.received[-1].endswith(b"\r\n\r\na=b&key=" + b"K" * 32)


@pytest.mark.parametrize("value", [None, [], [None]])
async def test_what_a_form_cannot_say_is_refused(value: JsonValue, sent: Sent, raw: Raw) -> None:
    end = await sent(with_body(FORM, members(m={})), {"m": value})

    assert isinstance(end, Refused)
    assert raw.received == []


async def test_a_form_of_parts_is_written_part_by_part(sent: Sent, raw: Raw) -> None:
    schema = members(note=TEXT, tags=TEXTS, meta=OBJECT, file=BYTES, more={**TEXTS, "items": BYTES})
    encoding: JsonObject = {"file": {"contentType": "image/png, image/jpeg"}}
    arguments: JsonObject = {
        "note": "é",
        "tags": ["x", "y"],
        "meta": {"a": 1},
        "file": {"filename": 'a"b.png', "base64": base64.b64encode(b"\x00\xff").decode()},
        "more": [{"text": "one", "content_type": "text/csv"}, {"text": "two", "filename": "t"}],
    }
    found = with_body(PARTS, schema, encoding=encoding)

    assert await sent(found, arguments) == Applied({})
    assert await sent(found, arguments) == Applied({})

    head, _, body = raw.received[0].partition(b"\r\n\r\n")
    boundary = head.partition(b"boundary=")[2].split(b"\r\n")[0]
    parts = [each.strip(b"\r\n") for each in body.split(b"--" + boundary)]
    said = b"Content-Disposition: form-data; name="
    assert parts == [
        b"",
        said + b'"note"\r\n\r\n\xc3\xa9',
        said + b'"tags"\r\n\r\nx',
        said + b'"tags"\r\n\r\ny',
        said + b'"meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}',
        said + b'"file"; filename="a%22b.png"\r\nContent-Type: image/png\r\n\r\n\x00\xff',
        said + b'"more"; filename="more"\r\nContent-Type: text/csv\r\n\r\none',
        said + b'"more"; filename="t"\r\nContent-Type: application/octet-stream\r\n\r\ntwo',
        b"--",
    ]
    assert raw.received[0].partition(b"\r\n\r\n")[2] == raw.received[1].partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "file",
    [
        {"text": "a", "base64": "YQ=="},
        {"filename": "a"},
        {"base64": "***"},
        {"text": "a\ud800"},
        {"text": "a", "content_type": "text/html"},
        {"text": "a", "content_type": "image/png\r\nx: y"},
        {"text": "a", "filename": "a\r\nb"},
        {"text": "a" * (MOST_FILE_BYTES + 1)},
        "just a text",
    ],
)
async def test_a_file_that_cannot_be_sent_as_it_is_said_is_refused(
    file: JsonValue, sent: Sent, raw: Raw
) -> None:
    encoding: JsonObject = {"file": {"contentType": "image/png"}}
    end = await sent(with_body(PARTS, members(file=BYTES), encoding=encoding), {"file": file})

    assert isinstance(end, Refused)
    assert raw.received == []


def test_a_member_may_be_a_file_or_something_else() -> None:
    schema: JsonObject = {"anyOf": [BYTES, {**TEXTS, "items": BYTES}]}
    (found,) = extract(with_body(PARTS, members(image=schema))).operations

    for good in ({"text": "a"}, [{"text": "a"}, {"base64": "YQ=="}]):
        assert first_flaw(found.input_schema, {"image": good}) is None
    assert first_flaw(found.input_schema, {"image": [1]}) is not None


@pytest.mark.parametrize(
    ("media", "schema", "value", "lines", "body"),
    [
        ("text/plain", TEXT, "é", ["content-type: text/plain; charset=utf-8"], "é".encode()),
        (
            "application/octet-stream",
            BYTES,
            {"base64": "AP8="},
            ["content-type: application/octet-stream"],
            b"\x00\xff",
        ),
        (
            "image/*",
            BYTES,
            {"text": "x", "content_type": "image/gif"},
            ["content-type: image/gif"],
            b"x",
        ),
        (
            "application/merge-patch+json",
            {},
            {"a": None},
            ["content-type: application/merge-patch+json"],
            b'{"a":null}',
        ),
        ("application/secevent+jwt", TEXT, "a.b", [], b"a.b"),
        ("message/rfc822", OBJECT, {"text": "x"}, ["content-type: message/rfc822"], b"x"),
        ("", {}, {"a": 1}, ["content-type: application/json"], b'{"a":1}'),
    ],
)
async def test_a_body_of_another_type_is_sent_as_it_is(
    media: str,
    schema: JsonObject,
    value: JsonValue,
    lines: list[str],
    body: bytes,
    sent: Sent,
    raw: Raw,
) -> None:
    assert await sent(with_body(media, schema), {"body": value}) == Applied({})
    assert set(lines) <= set(raw.head().splitlines())
    assert raw.received[-1].partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("method", ["get", "delete"])
async def test_a_read_and_a_deletion_may_have_a_body(method: str, sent: Sent, raw: Raw) -> None:
    await sent(with_body("application/json", members(a=TEXT), method), {"a": "b"})

    assert raw.head().startswith(f"{method.upper()} /x HTTP/1.1")
    assert raw.body() == {"a": "b"}


def test_a_body_is_chosen_json_first_and_xml_never() -> None:
    content: JsonObject = {
        media: {"schema": members(a=TEXT)}
        for media in ("application/xml", PARTS, FORM, "application/json")
    }
    bodies = []
    while content:
        found = document({"/x": {"post": operation(requestBody={"content": dict(content)})}})
        done = extract(found)
        bodies += [each.body.media[0] for each in done.operations if each.body]
        bodies += [each.reason for each in done.skipped]
        content.popitem()

    assert bodies == ["application/json", FORM, PARTS, "it takes XML: application/xml"]
