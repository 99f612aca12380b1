"""A vendor's table reads its answers and writes the page: what it leaves out is null and a gap."""

from contextlib import suppress

import pytest
from connector_cases import end_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.coverage import tables
from connectors.errors import Kind, Refused, Uncertain
from connectors.registry import Registry
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.model import ID, TEXT, Model, closed, or_null, words
from connectors.unified.steps import after
from connectors.unified.vendor import At, UnifiedConnector, Vendor, moment, text, worded
from connectors.validate import first_flaw

STATE = or_null(words("open", "closed"))
PARCELS = Model(
    "parcels",
    {"parcel": {"title": TEXT, "state": STATE, "weight": or_null(TEXT)}},
    {
        "parcel_get": {
            "description": "Read a parcel.",
            "input_schema": closed({"id": ID}),
            "effect": "read",
        },
        "parcel_open": {
            "description": "Open a parcel.",
            "input_schema": closed({"id": ID, "version": ID}, "version"),
            "sinks": {"id": "resource_id"},
        },
        "parcel_drop": {"description": "Drop it.", "input_schema": closed({"id": ID})},
    },
)
POST = Vendor(
    "post",
    PARCELS,
    {
        "parcel": {
            "id": At("number", text),
            "version": At("rev/0"),
            "title": At("label"),
            "state": At("is", worded({"O": "open", "C": "closed"})),
        }
    },
    {
        "parcel_get": {},
        "parcel_open": {
            "effect": "keyed",
            "idempotency": {"in": "connector", "name": "key", "window_s": 7200},
            "undo": {"action": "parcel_get"},
        },
    },
    custom={"parcel": lambda raw: {"colour": raw["colour"]}},
    gaps={"parcel_drop": "nobody drops", "parcel.weight": "has no scales"},
)
RAW: JsonObject = {"number": 7, "rev": ["a"], "label": "Tea", "is": "Z", "colour": "red"}


def test_an_object_of_the_vendors_becomes_a_whole_record() -> None:
    told = POST.tell("parcel", RAW)

    assert told == {
        "id": "7",
        "connector": "post",
        "version": "a",
        "url": None,
        "created_at": None,
        "updated_at": None,
        "custom_fields": {"colour": "red"},
        "raw": RAW,
        "title": "Tea",
        "state": "other",
        "weight": None,
    }
    assert first_flaw(PARCELS.record("parcel"), told) is None


@pytest.mark.parametrize("raw", [None, [], "x", 3])
def test_what_is_no_object_is_no_record(raw: JsonValue) -> None:
    with pytest.raises(TypeError, match="parcel"):
        POST.tell("parcel", raw)


async def parcels() -> tuple[UnifiedConnector, dict[str, ActionSpec]]:
    async def get(spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        return Applied(POST.tell("parcel", RAW | {"number": given["id"]}))

    async def opened(spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        raise Refused("changed", kind=Kind.INVALID, status=412, request_id="r1")

    connector = UnifiedConnector(POST, "home", {"parcel_get": get, "parcel_open": opened})
    return connector, {each.name: each for each in await connector.actions()}


async def test_a_vendor_offers_what_it_promises_under_the_name_of_the_connection() -> None:
    connector, actions = await parcels()

    assert list(actions) == ["home.parcel_get", "home.parcel_open"]
    undo = actions["home.parcel_open"].undo
    assert undo is not None
    assert undo.action == "home.parcel_get"
    got = await end_of(connector, actions["home.parcel_get"], {"id": "7"})
    assert isinstance(got, Applied)


async def test_a_precondition_that_failed_is_a_version_conflict() -> None:
    connector, actions = await parcels()
    end = await end_of(connector, actions["home.parcel_open"], {"id": "7"})

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code, end.request_id) == (
        Kind.CONFLICT,
        "version-conflict",
        "r1",
    )


async def test_what_a_vendor_cannot_read_of_an_answer_is_asked_for_once() -> None:
    """Of a write nobody knows whether it had acted by then."""

    async def misread(spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        return Applied(moment("yesterday"))

    functions = {"parcel_get": misread, "parcel_open": misread}
    connector = UnifiedConnector(POST, "home", functions)
    get, opens = await connector.actions()
    registry = Registry({"home": connector})
    read, written = (
        await end_of(registry, get, {"id": "7"}),
        await end_of(registry, opens, {"id": "7"}),
    )

    assert isinstance(read, Refused)
    assert (read.kind, "yesterday" in read.message) == (Kind.INTERNAL, True)
    assert isinstance(written, Uncertain)


async def test_what_is_misread_after_a_call_has_acted_leaves_no_doubt_that_it_has() -> None:
    async def misread() -> JsonValue:
        return moment("yesterday")

    end = await after(Applied(None, "req_1"), misread())

    assert isinstance(end, Unreadable)
    assert (end.request_id, "yesterday" in end.reason) == ("req_1", True)


async def test_what_a_service_is_still_at_is_not_taken_for_done_because_it_can_be_read() -> None:
    async def as_it_was() -> JsonValue:
        return {"title": "Tea"}

    assert await after(Pending("task-1", "req_1"), as_it_was()) == Pending("task-1", "req_1")


async def test_what_the_model_does_not_take_is_refused_before_the_vendor_is_asked() -> None:
    connector, actions = await parcels()
    end = await end_of(connector, actions["home.parcel_get"], {"id": "7", "colour": "red"})
    other = actions["home.parcel_get"].model_copy(update={"name": "home.parcel_drop"})
    gone = await end_of(connector, other, {"id": "7"})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert isinstance(gone, Refused)
    assert gone.kind is Kind.NOT_FOUND


def test_the_tables_say_what_is_promised_and_what_is_missing_and_why() -> None:
    assert tables([POST]).splitlines() == [
        "### parcels",
        "",
        "| action | `post` |",
        "| --- | --- |",
        "| `parcel_get` | read |",
        "| `parcel_open` | keyed, key for 2 h, undone by `parcel_get` |",
        "| `parcel_drop` | none: nobody drops |",
        "",
        "| field of parcel | `post` |",
        "| --- | --- |",
        "| `title` | `label` |",
        "| `state` | `is` |",
        "| `weight` | none: has no scales |",
        "| `version` | `rev/0` |",
        "| `url` | none |",
        "| `created_at` | none |",
        "| `updated_at` | none |",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00+00:00"),
        ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00+00:00"),
        ("2026-11-25T10:00:00+02:00", "2026-11-25T10:00:00+02:00"),
        ("2026-11-25", "2026-11-25T00:00:00+00:00"),
    ],
)
def test_a_moment_is_told_in_one_form(said: JsonValue, told: JsonValue) -> None:
    assert moment(said) == told


@given(st.floats() | st.integers() | st.sampled_from([1e17, -1e18, 1e12, True]))
def test_a_number_is_a_moment_or_it_is_said_that_it_is_none(said: float) -> None:
    with suppress(ValueError, OverflowError):
        assert "+00:00" in str(moment(said))


@pytest.mark.parametrize("said", ["yesterday", True, [], {}])
def test_what_is_no_moment_is_not_guessed(said: JsonValue) -> None:
    with pytest.raises(ValueError):
        moment(said)
