"""What has the wrong form is told in words; what almost has one is not taken for it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

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


@pytest.mark.parametrize(
    ("oauth", "told"),
    [
        ({}, "an issuer or a token_url"),
        ({"issuer": "nope"}, "'nope' may not be reached"),
        ({"issuer": "http://127.0.0.1:9"}, "credentials.allow_hosts"),
        ({"token_url": "https://as.example.com/token"}, "an issuer or authorize_url"),
        ({"token_url": "https://a.example.com", "authorize_url": "x"}, "'x' may not be reached"),
    ],
    ids=["none", "no-address", "loopback", "no-consent", "one-of-two"],
)
async def test_a_credential_that_could_never_be_connected_is_not_kept(
    operator: httpx2.AsyncClient, oauth: dict[str, str], told: str
) -> None:
    body = {"kind": "oauth-code", "oauth": {"client_id": "us", **oauth}}
    answer = await operator.put("/v1/credentials/desk", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-credential")
    assert told in answer.json()["detail"]
    assert (await operator.get("/v1/credentials/desk")).status_code == 404
