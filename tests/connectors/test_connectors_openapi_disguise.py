"""What would pass for something else on the wire is refused, or is no argument at all."""

import pytest
from connector_cases import Raw, document, operation
from openapi_wire import FORM, PARTS, TEXT, Sent, members, only, with_body

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject

OBJECT: JsonObject = {"type": "object"}
KEYED: JsonObject = {
    "actions": {
        "do_it": {
            "effect": "keyed",
            "idempotency": {"in": "body", "name": "key", "window_s": 60},
        }
    }
}


def asking(path: str, *parameters: JsonObject) -> JsonObject:
    return document({path: {"get": operation(parameters=[*parameters])}})


@pytest.mark.parametrize(
    "name",
    ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-Original-URL", "Trailer"],
)
def test_what_makes_another_request_of_one_is_no_argument(name: str) -> None:
    header: JsonObject = {"name": name, "in": "header", "schema": TEXT, "required": True}

    assert only(asking("/it", header)).places == {}


@pytest.mark.parametrize(
    ("path", "member"),
    [("/it?kind=open", "kind"), ("/it?a%20b=1", "a b"), ("/it", "limit"), ("/it", "up:to")],
)
@pytest.mark.parametrize("reserved", [True, False])
async def test_a_member_in_the_query_is_never_what_stands_there_already(
    path: str, member: str, reserved: bool, sent: Sent, raw: Raw
) -> None:
    where: JsonObject = {"in": "query", "allowReserved": reserved}
    others = [{"name": each, "in": "query", "schema": TEXT} for each in ("limit", "up:to")]
    found = asking(path, {"name": "where", "schema": OBJECT, **where}, *others)
    end = await sent(found, {"where": {member: "closed"}})
    fine = await sent(found, {"where": {"colour": "red"}})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert fine == Applied({})
    assert len(raw.received) == 1


@pytest.mark.parametrize("member", ["amount", "key"])
async def test_a_member_in_a_form_is_never_another_argument_or_our_key(
    member: str, sent: Sent, raw: Raw
) -> None:
    pieces: JsonObject = {"more": {"style": "form", "explode": True}}
    found = with_body(FORM, members(amount=TEXT, more=OBJECT), encoding=pieces)
    end = await sent(found, {"amount": "5", "more": {member: "900"}}, overlay=KEYED)
    fine = await sent(found, {"amount": "5", "more": {"note": "n"}}, overlay=KEYED)

    assert isinstance(end, Refused)
    assert fine == Applied({})
    assert raw.received[-1].endswith(b"\r\n\r\namount=5&note=n&key=" + b"K" * 32)


@pytest.mark.parametrize("media", [FORM, PARTS])
async def test_a_plan_gives_no_second_key_in_a_whole_form(media: str, sent: Sent, raw: Raw) -> None:
    found = with_body(media, {"allOf": [members(a=TEXT)]})
    end = await sent(found, {"body": {"key": "mine", "a": "b"}}, overlay=KEYED)

    assert end == Applied({})
    assert b"mine" not in raw.received[-1]
    assert raw.received[-1].count(b"K" * 32) == 1
