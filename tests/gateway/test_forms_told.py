"""What has the wrong form is told in words; what almost has one is not taken for it."""

from collections.abc import Iterator
from typing import Any

import httpx2

from gateway import schemas


async def test_a_wait_that_is_no_number_of_seconds_is_none(requester: httpx2.AsyncClient) -> None:
    for wait in ("\xb2", "soon", "-1", ""):  # the first is a digit to Unicode alone
        answer = await requester.post(
            "/v1/requests", json={"text": "x"}, headers={"prefer": f"wait={wait}".encode("latin-1")}
        )

        assert answer.status_code == 202, answer.text
        assert "preference-applied" not in answer.headers


async def test_a_name_of_the_wrong_form_is_told_in_words(operator: httpx2.AsyncClient) -> None:
    answer = await operator.post("/v1/keys", json={"principal": "a b", "roles": ["Boss"]})

    name, role = answer.json()["violations"]
    assert name["message"] == "1 to 80 of A-Z, a-z, 0-9, and . _ @ -"
    assert role["message"] == "1 to 40 of a-z, 0-9, _ and -, and a letter first"


def test_every_pattern_of_the_bodies_is_told_in_words() -> None:
    bodies = [
        each
        for each in vars(schemas).values()
        if isinstance(each, type) and each.__module__ == schemas.__name__
    ]
    patterns = {found for each in bodies for found in _patterns(each.model_json_schema())}

    assert len(bodies) > 10
    assert patterns
    assert patterns <= schemas.FORMS.keys()


def _patterns(schema: Any) -> Iterator[str]:
    match schema:
        case {"pattern": str(pattern)}:
            yield pattern
        case dict():
            yield from (found for each in schema.values() for found in _patterns(each))
        case list():
            yield from (found for each in schema for found in _patterns(each))


async def test_a_slash_too_many_leads_nowhere_else(requester: httpx2.AsyncClient) -> None:
    answer = await requester.get("/v1/runs/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
