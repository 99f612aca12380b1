"""What became of each item of a call that takes many at once."""

import json
from typing import Any

import pytest
from connector_cases import end_of
from hypothesis import given
from hypothesis import strategies as st

from connectors.by_item import Missed, happened_only, missed_items, settled
from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import ConfigurationError, Kind, Refused, Unavailable
from connectors.http import HttpAnswer
from connectors.manifest import check_manifests
from connectors.outcome import Dialect, read_answer
from connectors.registry import Registry
from connectors.spec import ActionSpec
from connectors.testing import FakeConnector

BY_ERROR = {"of": "order/lines", "at": "results", "failed_at": "error", "message_at": "error/text"}
BY_STATUS = {"of": "order/lines", "status_at": "status", "message_at": "why"}


def bulk(items: dict[str, Any], **more: Any) -> ActionSpec:
    manifest = {"name": "shop.add", "input_schema": {"type": "object"}, "effect": "blind"}
    return ActionSpec.model_validate(manifest | {"items": items} | more)


def arguments(count: int) -> dict[str, Any]:
    return {"order": {"lines": [*range(count)], "note": "n"}}


def by_error(*failed: object) -> dict[str, Any]:
    return {"id": 7, "results": [{"n": n, "error": each} for n, each in enumerate(failed)]}


def by_status(*statuses: object) -> list[Any]:
    return [{"status": each, "why": f"why {each}"} for each in statuses]


def test_an_item_did_not_happen_where_its_answer_holds_an_error() -> None:
    told = by_error(None, {"text": "sold out"}, "", "no such thing", {})

    assert missed_items(bulk(BY_ERROR), arguments(5), told) == {
        1: Missed("sold out"),
        3: Missed("no such thing"),
    }


def test_an_error_that_is_told_in_another_form_is_one_all_the_same() -> None:
    items = {"of": "order/lines", "at": "results", "failed_at": "error/text"}
    told = by_error({"text": "sold out"}, "no such thing", ["odd"], {}, None, {"text": None}, "")
    found = missed_items(bulk(items), arguments(7), told)

    assert isinstance(found, dict)
    assert [*found] == [0, 1, 2]
    assert found[1] == Missed("no such thing")


@pytest.mark.parametrize("each", [None, "sold out", 200, [], True])
def test_an_item_of_which_nothing_is_told_did_not_surely_happen(each: Any) -> None:
    outcome = settled(bulk(BY_ERROR), arguments(2), Applied({"results": [{}, each]}))

    assert isinstance(outcome, Unreadable)
    assert "of item 1 nothing is told" in outcome.reason


def test_an_item_did_not_happen_where_its_status_says_so() -> None:
    found = missed_items(bulk(BY_STATUS), arguments(4), by_status(200, 404, 201, 429))

    assert found == {1: Missed("why 404", 404), 3: Missed("why 429", 429)}


@pytest.mark.parametrize(
    "told",
    [
        by_status(200), by_status(200, 200, 200), by_status(200, 500), by_status(200, 408),
        by_status(200, 302), by_status(200, "200"), by_status(200, True), {}, None, [200, 200],
    ],
)  # fmt: skip
def test_an_answer_that_does_not_tell_of_each_is_no_answer_though_it_happened(told: Any) -> None:
    outcome = settled(bulk(BY_STATUS), arguments(2), Applied(told, "req_1"))

    assert isinstance(outcome, Unreadable)
    assert outcome.request_id == "req_1"


def test_where_no_item_happened_the_call_is_refused() -> None:
    with pytest.raises(Refused, match="the first: why 404") as refused:
        settled(bulk(BY_STATUS), arguments(2), Applied(by_status(404, 429)))

    assert refused.value.kind is Kind.INVALID


def test_where_every_item_came_too_early_the_call_may_be_made_again() -> None:
    with pytest.raises(Unavailable) as later:
        settled(bulk(BY_STATUS), arguments(2), Applied(by_status(429, 429)))

    assert (later.value.kind, later.value.sent) == (Kind.RATE_LIMITED, True)


@pytest.mark.parametrize(
    "outcome", [Applied(by_status(200, 404)), Applied([]), Unreadable("cut"), Pending("task")]
)
def test_any_other_outcome_is_what_it_was(outcome: Outcome) -> None:
    count = len(outcome.output) if isinstance(outcome, Applied) else 2  # type: ignore[arg-type]

    assert settled(bulk(BY_STATUS), arguments(count), outcome) == outcome
    plain = ActionSpec.model_validate({"name": "shop.add", "input_schema": {"type": "object"}})
    assert settled(plain, arguments(3), outcome) == outcome


@given(st.lists(st.sampled_from([200, 201, 204, 400, 404, 409, 429]), max_size=8))
def test_what_is_left_is_what_happened_in_arguments_and_output(statuses: list[int]) -> None:
    told = {"id": 7, "results": by_status(*statuses)}
    action = bulk(BY_STATUS | {"at": "results"})
    kept, output = happened_only(action, arguments(len(statuses)), told)
    happened = [n for n, status in enumerate(statuses) if status < 300]

    assert kept == {"order": {"lines": happened, "note": "n"}}
    assert output == {"id": 7, "results": by_status(*(statuses[n] for n in happened))}
    assert missed_items(action, kept, output) == {}


@pytest.mark.parametrize(
    ("manifest", "flaw"),
    [
        ({"items": {"of": "lines"}}, "failed_at or status_at"),
        ({"items": BY_STATUS | {"failed_at": "error"}}, "failed_at or status_at"),
        ({"items": BY_STATUS, "effect": "read"}, "items are of writes"),
    ],
)
def test_a_manifest_says_in_one_way_how_the_items_of_a_write_are_told(
    manifest: dict[str, Any], flaw: str
) -> None:
    with pytest.raises(ValueError, match=flaw):
        ActionSpec.model_validate(
            {"name": "shop.add", "input_schema": {"type": "object"}} | manifest
        )


@pytest.mark.parametrize(
    ("schemas", "flaw"),
    [
        ({"input_schema": {"type": "object", "properties": {"order": {"type": "string"}}}},
         "no list can be at 'order/lines'"),
        ({"output_schema": {"type": "array", "items": {"type": "object", "properties": {}}}},
         "nothing can be at '\\*/status'"),
    ],
)  # fmt: skip
def test_the_places_of_items_are_held_against_the_schemas(
    schemas: dict[str, Any], flaw: str
) -> None:
    with pytest.raises(ConfigurationError, match=flaw):
        check_manifests(Catalog((bulk(BY_STATUS, **schemas),)))


async def test_a_service_that_took_no_item_is_left_alone_for_as_long_as_it_says() -> None:
    """The answer is a success with a Retry-After beside it: that holds for the call."""
    action = bulk(BY_STATUS)
    body = json.dumps(by_status(429, 429)).encode()
    answer = HttpAnswer(207, {"retry-after": "120", "x-request-id": "req_1"}, body)
    said = read_answer(action, answer, Dialect())
    registry = Registry({"shop": FakeConnector([action], {action.name: [said]})})
    outcome = await end_of(registry, action, arguments(2))
    assert isinstance(outcome, Applied)

    with pytest.raises(Unavailable) as later:
        settled(action, arguments(2), outcome)
    assert (later.value.retry_after_s, later.value.request_id) == (120, "req_1")
