"""What an answer, or the lack of one, means: the table of `connectors/outcome.py`, row by row."""

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.dates import retry_after_s
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.http import HttpAnswer
from connectors.outcome import Dialect, read_answer
from connectors.spec import ActionSpec, JsonObject, Status

OPEN: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
NOW = 1_800_000_000.0


def action(effect: str = "blind", **more: JsonValue) -> ActionSpec:
    if effect == "keyed":
        more["idempotency"] = {"in": "header", "name": "Key", "window_s": 60}
    return ActionSpec.model_validate(
        {"name": "api.do_it", "input_schema": OPEN, "effect": effect, **more}
    )


READ, WRITE = action("read"), action()


def end(
    spec: ActionSpec,
    status: int,
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    *,
    dialect: Dialect | None = None,
    attempt: int = 1,
) -> Outcome | ConnectorError:
    answer = HttpAnswer(status, headers or {}, body, NOW)
    try:
        return read_answer(spec, answer, dialect or Dialect(), attempt=attempt)
    except ConnectorError as error:
        return error


ROWS = (
    # status, a read, a write, kind
    (101, Refused, Uncertain, Kind.INVALID),
    (301, Refused, Refused, Kind.INVALID),
    (302, Refused, Uncertain, Kind.INVALID),
    (303, Refused, Uncertain, Kind.INVALID),
    (304, Refused, Uncertain, Kind.INVALID),
    (307, Refused, Refused, Kind.INVALID),
    (308, Refused, Refused, Kind.INVALID),
    (400, Refused, Refused, Kind.INVALID),
    (401, Refused, Refused, Kind.AUTH),
    (402, Refused, Refused, Kind.QUOTA),
    (403, Refused, Refused, Kind.AUTH),
    (404, Refused, Refused, Kind.NOT_FOUND),
    (405, Refused, Refused, Kind.INVALID),
    (408, Unavailable, Uncertain, Kind.TIMEOUT),
    (409, Refused, Refused, Kind.CONFLICT),
    (410, Refused, Refused, Kind.NOT_FOUND),
    (412, Refused, Refused, Kind.CONFLICT),
    (413, Refused, Refused, Kind.INVALID),
    (415, Refused, Refused, Kind.INVALID),
    (422, Refused, Refused, Kind.INVALID),
    (425, Unavailable, Unavailable, Kind.UNAVAILABLE),
    (429, Unavailable, Unavailable, Kind.RATE_LIMITED),
    (500, Unavailable, Uncertain, Kind.UNAVAILABLE),
    (502, Unavailable, Uncertain, Kind.UNAVAILABLE),
    (503, Unavailable, Uncertain, Kind.UNAVAILABLE),
    (504, Unavailable, Uncertain, Kind.TIMEOUT),
    (599, Unavailable, Uncertain, Kind.UNAVAILABLE),
)


@pytest.mark.parametrize(("status", "read", "write", "kind"), ROWS)
def test_a_status_means_for_a_read_and_for_a_write_what_the_table_says(
    status: int, read: type[ConnectorError], write: type[ConnectorError], kind: Kind
) -> None:
    ends = [end(READ, status), end(WRITE, status)]

    assert [type(each) for each in ends] == [read, write]
    for each in ends:
        assert isinstance(each, ConnectorError)
        assert (each.kind, each.status) == (kind, status)
        assert not isinstance(each, Unavailable) or each.sent


@given(st.integers(100, 999), st.binary(max_size=20), st.sampled_from([READ, WRITE]))
def test_every_answer_has_a_meaning_and_a_read_is_never_in_doubt(
    status: int, body: bytes, spec: ActionSpec
) -> None:
    found = end(spec, status, body)

    assert isinstance(found, Applied | Unreadable | Pending | Refused | Unavailable | Uncertain)
    assert spec.is_write or not isinstance(found, Uncertain | Unreadable | Pending)
    if spec.is_write and 500 <= status < 600:
        assert isinstance(found, Uncertain)


def test_a_manifest_may_call_a_failure_transactional() -> None:
    safe = action("keyed", transactional_errors=[503])
    headers = {"retry-after": "7"}

    found = end(safe, 503, headers=headers)

    assert isinstance(found, Unavailable)
    assert found.retry_after_s == 7.0
    assert isinstance(end(safe, 500), Uncertain)


def test_uncertain_keeps_when_to_ask_again() -> None:
    found = end(WRITE, 503, headers={"retry-after": "3"})

    assert isinstance(found, Uncertain)
    assert found.retry_after_s == 3.0


def test_a_conflict_under_a_key_that_was_sent_before_is_in_doubt_unless_a_code_says_more() -> None:
    keyed, coded = action("keyed"), Dialect(code_at=("code",))

    assert isinstance(end(keyed, 409, attempt=1), Refused)
    assert isinstance(end(keyed, 409, attempt=2), Uncertain)
    assert isinstance(end(keyed, 409, b'{"code": "NO"}', dialect=coded, attempt=2), Refused)
    assert isinstance(end(WRITE, 409, attempt=2), Refused)


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"a": 1, "a": 2}', b"NaN", b"\xff", b"{", b"[" * 9999]
)
def test_a_yes_that_cannot_be_read_is_a_yes_for_a_write(body: bytes) -> None:
    headers = {"x-request-id": "rq_1"}

    write, read = end(WRITE, 200, body, headers), end(READ, 200, body, headers)

    assert isinstance(write, Unreadable)
    assert write.request_id == "rq_1"
    assert isinstance(read, Refused)
    assert (read.kind, read.request_id) == (Kind.INTERNAL, "rq_1")


def test_an_empty_answer_is_null_and_text_is_text_where_no_schema_says_otherwise() -> None:
    text = {"content-type": "text/plain; charset=utf-8"}

    assert end(WRITE, 204, b"") == Applied(None)
    assert end(READ, 200, b"up", text) == Applied("up")
    assert isinstance(end(action("read", output_schema={}), 200, b"up", text), Refused)


def test_json_under_a_wrong_content_type_is_read_all_the_same() -> None:
    assert end(READ, 200, b'{"a": 1}', {"content-type": "text/html"}) == Applied({"a": 1})


def test_accepted_is_pending_for_a_write_and_says_where_to_ask() -> None:
    headers = {"location": "/jobs/7", "x-request-id": "rq_2"}

    assert end(WRITE, 202, headers=headers) == Pending("/jobs/7", "rq_2")
    assert end(READ, 202, b"1", headers) == Applied(1, "rq_2")


def test_the_handle_of_an_accepted_call_stands_in_its_body_where_the_manifest_says_so() -> None:
    status = {"action": "x.job", "by": "id", "state_at": "state", "done": ["ready"]}
    slow = WRITE.model_copy(update={"status": Status(**status, handle_at="job/id")})

    assert end(slow, 202, b'{"job": {"id": 7}}') == Pending("7")
    assert end(slow, 202, b"") == Pending("")


def test_a_replay_is_marked() -> None:
    for said, replayed in (("true", True), ("1", True), ("false", False), ("", False)):
        found = end(WRITE, 200, headers={"idempotent-replayed": said})

        assert isinstance(found, Applied)
        assert found.replayed is replayed


def test_a_vendors_words_are_kept_and_its_code_may_say_another_kind() -> None:
    dialect = Dialect(
        code_at=("errors", "0", "code"),
        message_at=("errors", "0", "text"),
        request_id_at=("trace",),
        kinds={"E7": Kind.QUOTA},
    )
    body = b'{"errors": [{"code": "E7", "text": "enough"}], "trace": "t-1"}'

    found = end(WRITE, 400, body, dialect=dialect)

    assert isinstance(found, Refused)
    assert (found.kind, found.vendor_code, found.request_id) == (Kind.QUOTA, "E7", "t-1")
    assert found.message == "400: enough"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"type": "about:blank", "title": "Gone", "detail": "the order is gone"},
            "the order is gone",
        ),
        ({"title": "Gone", "detail": ""}, "Gone"),
        ({"error": {"code": 7, "message": "no such card"}}, "no such card"),
        ({"error": "invalid_grant", "error_description": "it is used up"}, "it is used up"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": True, "msg": "it is closed"}, "it is closed"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
        ({"errors": ["too long"]}, "too long"),
    ],
)
def test_a_service_is_quoted_from_where_services_say_what_is_wrong(
    body: JsonObject, told: str
) -> None:
    found = end(WRITE, 400, json.dumps(body).encode())

    assert isinstance(found, Refused)
    assert found.message == f"400: {told}"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"code": {}}', b'{"code": null}', b"<html>", b'{"code": 1.5}']
)
def test_an_error_body_that_is_not_as_expected_changes_nothing_but_the_words(body: bytes) -> None:
    found = end(WRITE, 422, body, dialect=Dialect(code_at=("code",), message_at=("code", "0")))

    assert isinstance(found, Refused)
    assert found.vendor_code is None
    assert found.message == "the service answered with status 422"


@pytest.mark.parametrize("before", [480, 490, 499])
def test_a_secret_in_a_vendors_words_is_hidden_before_they_are_cut(before: int) -> None:
    secret = "wholly-secret-words"
    body = json.dumps({"message": "x" * before + secret}).encode()
    answer = HttpAnswer(400, {}, body, NOW, hide=lambda text: text.replace(secret, "[hidden]"))

    with pytest.raises(Refused) as found:
        read_answer(WRITE, answer, Dialect())

    assert secret[:1] not in found.value.message


def test_a_vendors_words_are_shown_on_one_line_and_hide_nothing() -> None:
    said = "no\r\n\x1b[31mred\u202e\u200b\U000e0041 " + "x" * 9000
    body = json.dumps({"m": said}).encode()

    found = end(READ, 400, body, {"x-request-id": "a\x1bb"}, dialect=Dialect(message_at=("m",)))

    assert isinstance(found, Refused)
    assert len(found.message) < 600
    assert found.message.isprintable()
    assert found.request_id == "a b"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("999999999999", 7 * 24 * 3600.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 7 * 24 * 3600.0),
        ("-1", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("Fri, 99 Foo 2027 00:00:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": said}, NOW) == seconds


def test_a_date_is_compared_with_the_services_own_clock() -> None:
    theirs = NOW - 5000
    headers = {"retry-after": formatdate(theirs + 30), "date": formatdate(theirs)}

    assert retry_after_s(headers, NOW) == 30.0


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_retry_after_says_it_is_no_time_or_one_within_a_week(said: str, date: str) -> None:
    found = retry_after_s({"retry-after": said, "date": date}, NOW)

    assert found is None or 0 <= found <= 7 * 24 * 3600
