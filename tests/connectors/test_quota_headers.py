"""What services say of their limits is read in every spelling, and never believed too much."""

import asyncio
import json
from pathlib import Path

import pytest
from connector_cases import Outside, answer, document, operation, raw_server, registry_of
from hypothesis import given
from hypothesis import strategies as st

from connectors.connector import Applied
from connectors.errors import Unavailable
from connectors.factories import ConnectionSettings
from connectors.quota import HEARD, LONGEST_S, Quota, note, quota_of
from connectors.testing import call_context

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("headers", "left", "seconds"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, 50, 30),
        ({"ratelimit": '"day";r=900;t=40000, "minute; r=0, t=1";r=5;t=7'}, 5, 7),
        ({"ratelimit": "limit=100, remaining=50, reset=30"}, 50, 30),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "12"}, 3, 12),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "12"}, 3, 12),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1800000012"}, 3, 12),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1800000012500"}, 3, 12.5),
        ({"x-rate-limit-remaining": "3", "x-rate-limit-reset": "1800000012"}, 3, 12),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset-after": "0.5"}, 3, 0.5),
        ({"x-ratelimit-remaining": "3.0",
          "x-ratelimit-reset": "Fri, 15 Jan 2027 08:00:12 GMT"}, 3, 12),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "2027-01-15T09:00:12+01:00"}, 3, 12),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "6m0.5s"}, 9, 360.5),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "20ms"}, 9, 0.02),
        # Its clock is a minute behind ours.
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1799999952",
          "date": "Fri, 15 Jan 2027 07:59:00 GMT"}, 3, 12),
        # The tightest of several.
        ({"ratelimit-remaining": "3", "ratelimit-reset": "12",
          "x-ratelimit-remaining": "1", "x-ratelimit-reset": "50"}, 1, 50),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "12",
          "x-ratelimit-remaining": "1", "x-ratelimit-reset": "50"}, 1, 50),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900000000"}, 0, LONGEST_S),
    ],
)  # fmt: skip
def test_every_spelling_is_read(headers: dict[str, str], left: int, seconds: float) -> None:
    found = quota_of(headers, NOW)

    assert found is not None
    assert found.left == left
    assert found.renews_in_s == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining": "3"},
        {"x-ratelimit-reset": "12"},
        {"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "12"},
        {"x-ratelimit-remaining": "many", "x-ratelimit-reset": "12"},
        {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "soon"},
        {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1799999999"},
        {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "0"},
        {"x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "12"},
        {"ratelimit": '"r=5;t=3"'},
        {"ratelimit-policy": '"default";q=100;w=60'},
    ],
)
def test_what_says_too_little_says_nothing(headers: dict[str, str]) -> None:
    assert quota_of(headers, NOW) is None


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit", "ratelimit-remaining", "ratelimit-reset", "date",
                         "x-ratelimit-remaining", "x-ratelimit-reset"]),
        st.text(max_size=50)
        | st.from_regex(r'"[a-z]*";r=[0-9]{0,20};t=[0-9]{0,20}', fullmatch=True)
        | st.floats().map(str) | st.integers().map(str),
    )
)  # fmt: skip
def test_anything_may_stand_in_a_header(headers: dict[str, str]) -> None:
    found = quota_of(headers, NOW)

    assert found is None or (found.left >= 0 and 0 < found.renews_in_s <= LONGEST_S)


def test_what_nobody_waits_for_is_noted_nowhere() -> None:
    note({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "12"}, NOW)

    assert HEARD.get(None) is None


async def test_a_call_hears_what_its_answer_says_be_it_good_or_bad(
    outside: Outside, tmp_path: Path
) -> None:
    told = {"x-ratelimit-remaining": "2", "x-ratelimit-reset": "9"}
    answers = [
        answer(200, {}, told),
        answer(429, {}, told | {"x-ratelimit-remaining": "0"}),
        answer(200, {}),
    ]
    (tmp_path / "api.json").write_text(json.dumps(document({"/it": {"get": operation()}})))
    heard = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async with raw_server(serve) as raw:
        settings = ConnectionSettings(
            "api", "openapi", raw.url, options={"document": "api.json"}, base_dir=tmp_path
        )
        registry = registry_of(outside.to(raw.host), settings)
        (action,) = await registry.load()
        for expected in (Applied, Unavailable, Applied):
            context = call_context()
            try:
                ended: object = await registry.call(action, {}, context)
            except Unavailable as error:
                ended = error
            assert isinstance(ended, expected)
            heard.append(context.heard.quota)

    assert heard == [Quota(2, 9.0), Quota(0, 9.0), None]


def test_more_calls_than_a_database_counts_are_as_many_as_it_counts() -> None:
    found = quota_of({"x-ratelimit-remaining": "999999999999", "x-ratelimit-reset": "60"}, NOW)

    assert found == Quota(1_000_000_000, 60)
