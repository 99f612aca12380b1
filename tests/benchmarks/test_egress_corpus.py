"""No address leads inside, wherever it comes from; no answer takes more memory than it may."""

from pathlib import Path

import pytest

from benchmarks.egress.bombs import BOMBS, MOST_BYTES, costs_alone
from benchmarks.egress.corpus import corpus
from benchmarks.egress.entries import Entries, Ground, ground
from benchmarks.egress.servers import listening, said
from connectors.http import Transport

ENTRIES = (
    "base_url", "document", "overlay servers", "servers", "$ref", "redirect", "issuer",
    "token_url", "metadata", "authorize_url", "payments base_url",
    "mailbox_url", "mail server", "database", "mcp base_url", "composio base_url",
)  # fmt: skip
EVERY = 4  # of the corpus here; `python -m benchmarks.egress` tries all of it


def test_the_corpus_has_as_many_addresses_as_it_is_meant_to() -> None:
    assert len(corpus(1)) >= 300


@pytest.mark.parametrize("name", ENTRIES)
async def test_no_address_leads_inside_from_here(name: str, tmp_path: Path) -> None:
    async with listening(lambda _: said(200, b"{}"), "*") as canary, ground(tmp_path) as on:
        known = Entries(on).all()
        start = ENTRIES.index(name) % EVERY
        turned = {url: await known[name](url) for url in corpus(canary.port)[start::EVERY]}

    assert tuple(known) == ENTRIES
    assert [url for url, is_away in turned.items() if not is_away] == []
    assert canary.heard == 0


async def test_the_canary_would_hear_whoever_is_let_in(tmp_path: Path) -> None:
    async with listening(lambda _: said(200, b"{}"), "*") as canary:
        way = Transport(frozenset([f"127.0.0.1:{canary.port}"]))
        on = Ground(tmp_path, way, "", {})
        is_away = await Entries(on).base_url(f"http://127.0.0.1:{canary.port}")
        await way.aclose()

    assert not is_away
    assert canary.heard == 1


def test_no_answer_takes_more_memory_than_it_may() -> None:
    found = costs_alone()

    assert [each.name for each in found] == [*BOMBS]
    assert [(each.name, each.bytes) for each in found if each.bytes > MOST_BYTES] == []
    unexplained = [each for each in found if "failed with" in each.end or "deadline" in each.end]
    assert unexplained == []
