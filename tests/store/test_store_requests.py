"""Requests keep words and answers, and are planned by one drive at a time."""

from functools import partial

from sqlalchemy import Connection
from store_cases import NOW, TENANT, claimed

from connectors.spec import Principal
from executor.store import drives, plans, ready, requests
from executor.store.drives import Claim, Due
from executor.store.plans import PlanRow
from executor.store.store import Store

DUE = Due("request", TENANT, "req_a")
WHO = Principal("requester", TENANT, frozenset({"requester", "approver"}))


def _new(c: Connection) -> Claim:
    requests.create(
        c, request="req_a", principal=WHO, text="refund the broken mug", inputs={"order": "1042"},
        model="small", start="manual", now=NOW,
    )  # fmt: skip
    return claimed(c, DUE)


async def test_a_request_is_kept_as_it_came(store: Store) -> None:
    await store.write(_new)
    row = await store.read(lambda c: requests.get(c, TENANT, "req_a"))

    assert row is not None
    assert (row.principal, row.text, row.inputs) == (
        WHO, "refund the broken mug", {"order": "1042"},
    )  # fmt: skip
    assert (row.status, row.model, row.start, row.answers) == ("planning", "small", "manual", {})
    assert await store.read(lambda c: requests.get(c, "other", "req_a")) is None


async def test_an_answer_has_the_request_planned_again_and_keeps_earlier_answers(
    store: Store,
) -> None:
    claim = await store.write(_new)
    early = await store.write(lambda c: requests.answer(c, TENANT, "req_a", {"which": "x"}, NOW))
    for answers in ({"which": "the mug"}, {"why": "broken"}):
        await store.write(partial(drives.end_drive, claim=claim, status="needs_answer", now=NOW))
        assert await store.write(
            lambda c, answers=answers: requests.answer(c, TENANT, "req_a", answers, NOW)
        )
        claim = await store.write(lambda c: claimed(c, DUE))
    row = await store.read(lambda c: requests.get(c, TENANT, "req_a"))

    assert not early
    assert row is not None
    assert row.answers == {"which": "the mug", "why": "broken"}


async def test_a_request_is_tried_again_only_after_its_planner_was_unavailable(
    store: Store,
) -> None:
    claim = await store.write(_new)
    early = await store.write(lambda c: requests.retry(c, TENANT, "req_a", NOW))
    await store.write(
        lambda c: drives.end_drive(
            c, claim, status="planner_unavailable", code="planner-unavailable", now=NOW
        )
    )

    assert not early
    assert await store.read(lambda c: ready.due(c, NOW)) == []
    assert await store.write(lambda c: requests.retry(c, TENANT, "req_a", NOW))
    assert await store.read(lambda c: ready.due(c, NOW)) == [DUE]


async def test_a_drive_that_was_taken_over_settles_nothing(store: Store) -> None:
    first = await store.write(_new)
    second = await store.write(lambda c: claimed(c, DUE))
    settled = [
        await store.write(
            lambda c, claim=claim, plan=plan: requests.settle(
                c, claim, detail={"plan": plan}, plan=plan
            )
        )
        for claim, plan in ((first, "pln_a"), (second, "pln_b"))
    ]
    row = await store.read(lambda c: requests.get(c, TENANT, "req_a"))

    assert settled == [False, True]
    assert row is not None
    assert (row.plan, row.detail) == ("pln_b", {"plan": "pln_b"})


async def test_a_planned_request_knows_its_run(store: Store) -> None:
    await store.write(_new)
    await store.write(lambda c: requests.set_run(c, TENANT, "req_a", "run_a"))
    row = await store.read(lambda c: requests.get(c, TENANT, "req_a"))

    assert row is not None
    assert row.run == "run_a"


async def test_a_plan_is_kept_as_it_was_sealed(store: Store) -> None:
    row = PlanRow(TENANT, "pln_a", "sha256:0", "requester", "req_a", {"seal": "ü", "n": 1.5}, NOW)
    await store.write(lambda c: plans.add(c, row))

    assert await store.read(lambda c: plans.get(c, TENANT, "pln_a")) == row
    assert await store.read(lambda c: plans.get(c, "other", "pln_a")) is None
