"""A tracker that does not filter as it was asked settles nothing, and tells of nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from between import Between
from connector_cases import Outside
from real_servers import Real, roundup
from test_real_roundup import MUG, desk_at, made, own, tickets

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject
from connectors.testing import Asked, Said
from connectors.testing.trial import new_key


class Deaf(Between):
    """Leaves out of what it passes on what the tracker is to filter by, once it is told to."""

    unheard: frozenset[str] = frozenset()

    def handle(self, asked: Asked) -> Said:
        heard = tuple(each for each in asked.pairs if each[0] not in self.unheard)
        return super().handle(replace(asked, pairs=heard))


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with roundup(tmp_path_factory.mktemp("roundup")) as real:
        yield real


@pytest.fixture
def deaf(tracker: Real) -> Iterator[Deaf]:
    found = Deaf(tracker, own(tracker))
    found.service.start()
    try:
        yield found
    finally:
        found.service.stop()


def _is_another(end: object) -> bool:
    return isinstance(end, Refused) and end.kind is Kind.INTERNAL and "it gives another" in str(end)


async def test_another_ticket_is_not_taken_for_the_one_that_was_opened(
    deaf: Deaf, tracker: Real, outside: Outside
) -> None:
    desk, key = desk_at(deaf.service.url, outside), new_key()
    await made(desk)
    before = len(tickets(tracker))
    deaf.lose(3)  # what a message became: its ticket was never posted
    await desk("ticket_create", MUG, key)
    deaf.lose()
    deaf.unheard = frozenset({"messages"})
    unheard = await desk("ticket_create", MUG, key, attempt=2)
    there = len(tickets(tracker))
    deaf.unheard = frozenset()
    heard = await desk("ticket_create", MUG, key, attempt=3)

    assert _is_another(unheard), unheard
    assert there == before
    assert isinstance(heard, Applied)
    assert len(tickets(tracker)) == before + 1


async def test_comments_are_those_of_the_ticket(
    deaf: Deaf, tracker: Real, outside: Outside
) -> None:
    desk = desk_at(deaf.service.url, outside)
    first, second = await made(desk), await made(desk)
    words: JsonObject = {"ticket_id": second["id"], "body": "Of the second"}
    deaf.unheard = frozenset({"id"})
    key = new_key()
    said = await desk("comment_create", words, key)
    listed = await desk("comment_list", {"ticket_id": first["id"]})
    deaf.unheard = frozenset()
    again = await desk("comment_create", words, key, attempt=2)

    assert "could not be read back" in str(said), "it was made"
    assert _is_another(listed), listed
    assert isinstance(again, Applied)
    assert isinstance(again.output, dict)
    assert again.output["body"] == "Of the second"


@pytest.mark.parametrize("given", [{"status": "resolved"}, {"assignee_id": "anonymous"}])
async def test_tickets_are_those_that_were_asked_for(
    given: JsonObject, deaf: Deaf, outside: Outside
) -> None:
    desk = desk_at(deaf.service.url, outside)
    await made(desk, {**MUG, "assignee_ids": ["admin"]})
    heard = await desk("ticket_list", given)
    deaf.unheard = frozenset({"status", "assignedto"})
    unheard = await desk("ticket_list", given)

    assert heard == Applied({"tickets": []})
    assert _is_another(unheard), unheard
