"""Every question is a question of its own: what ends, counts or narrows one leaves the others."""

from dataclasses import replace
from functools import partial

import pytest
from store_cases import APPROVER, NOW, RUN, TENANT, add_run, new_run, question

from connectors.spec import Effect, Principal
from executor.check.envelope import Band, CoveredStep, Envelope
from executor.check.grant import Grant
from executor.check.narrowing import Narrowing
from executor.store import approvals, rulings
from executor.store.approvals import ApprovalRow, Called
from executor.store.store import Store

SECOND = Principal("second", TENANT, frozenset({"approver"}))


async def asked(store: Store, *rows: ApprovalRow) -> None:
    await store.write(new_run)
    for row in rows:
        await store.write(partial(approvals.create, row=row))


async def states(store: Store, tenant: str = TENANT) -> dict[str, str]:
    rows = await store.read(partial(approvals.listed, tenant=tenant))
    return {row.id: row.state for row in rows}


async def says_yes(
    store: Store, by: Principal, approval: str = "apr_a", narrowing: Narrowing | None = None
) -> str:
    return await store.write(
        lambda c: rulings.decide(c, TENANT, approval, by, "approve", "checked", NOW, narrowing)
    )


async def test_asking_anew_ends_the_same_question_alone(store: Store) -> None:
    same = question()
    others = {
        "apr_role": replace(same, role="finance"),
        "apr_step": replace(same, step="mail"),
        "apr_item": replace(same, iteration="0"),
        "apr_said": replace(same, state="granted"),
    }
    await asked(store, same, *(replace(row, id=name) for name, row in others.items()))
    await store.write(partial(approvals.supersede, row=same))

    assert await states(store) == {
        "apr_a": "void", "apr_role": "open", "apr_step": "open", "apr_item": "open",
        "apr_said": "granted",
    }  # fmt: skip


async def test_with_a_run_end_its_open_questions_and_no_others(store: Store) -> None:
    await asked(store, question(), replace(question("apr_said"), state="granted"))
    await store.write(lambda c: add_run(c, "run_b"))
    await store.write(partial(approvals.create, row=replace(question("apr_b"), run="run_b")))
    theirs = replace(question(), tenant="other")
    await store.write(partial(approvals.create, row=theirs))
    await store.write(lambda c: approvals.close(c, (TENANT, RUN.id), state="expired"))

    assert await states(store) == {"apr_a": "expired", "apr_said": "granted", "apr_b": "open"}
    assert await states(store, "other") == {"apr_a": "open"}


async def test_what_was_decided_does_not_expire(store: Store) -> None:
    await asked(store, question(), replace(question("apr_said"), state="granted"))
    expired = [
        await store.write(partial(approvals.end, tenant=TENANT, approval=each, state="expired"))
        for each in ("apr_a", "apr_a", "apr_said")
    ]

    assert expired == [True, False, False]
    assert await states(store) == {"apr_a": "expired", "apr_said": "granted"}


async def test_a_yes_to_one_question_counts_for_no_other(store: Store) -> None:
    two = replace(question("apr_b", quorum=2), step="mail", args_hash="sha256:mail")
    await asked(store, question(quorum=2), two)
    said = [
        await says_yes(store, APPROVER),
        await says_yes(store, APPROVER, "apr_b"),
        await says_yes(store, SECOND, "apr_b"),
    ]

    assert said == ["counted", "counted", "granted"]
    assert await states(store) == {"apr_a": "open", "apr_b": "granted"}


def covered(step: str) -> CoveredStep:
    return CoveredStep(
        step=step, action="payments.refund_create", action_digest="sha256:tool", calls=1,
        effect=Effect.KEYED, irreversible=False, call="refund", is_sure=True,
        bands=(Band(at="amount", kind="any"),),
    )  # fmt: skip


def of_the_plan(quorum: int = 1, expires_at: float | None = None) -> tuple[ApprovalRow, Envelope]:
    steps = (covered("refund"), covered("mail"))
    envelope = Envelope(role="approver", quorum=quorum, steps=steps, expires_at=expires_at)
    row = replace(
        question(quorum=quorum), kind="envelope", step="", steps=("refund", "mail"),
        args_hash=envelope.digest, arguments=envelope.model_dump(mode="json"),
    )  # fmt: skip
    return row, envelope


async def test_whoever_decides_later_is_shown_and_grants_what_is_left_of_a_plan(
    store: Store,
) -> None:
    row, envelope = of_the_plan(quorum=2)
    less = Narrowing(without=["mail"])
    await asked(store, row)
    said = [
        await says_yes(store, APPROVER, narrowing=less),
        await says_yes(store, APPROVER, narrowing=less),
        await says_yes(store, APPROVER),
        await says_yes(store, SECOND),
        await says_yes(store, Principal("third", TENANT, SECOND.roles), narrowing=less),
    ]
    left = await store.read(lambda c: approvals.get(c, TENANT, "apr_a"))
    assert left is not None
    calls = [
        await store.read(
            lambda c, step=step, hashed=hashed: approvals.covers(
                c, TENANT, Grant("apr_a", hashed),
                Called(step, "", "sha256:tool", question().arguments), NOW,
            )
        )
        for step, hashed in (
            ("refund", left.args_hash), ("mail", left.args_hash), ("refund", envelope.digest),
        )
    ]  # fmt: skip

    assert said == ["counted", "repeated", "conflict", "granted", "conflict"]
    assert left.steps == ("refund",)
    assert calls == [True, False, False]


@pytest.mark.parametrize(("after_s", "counts"), [(9.9, True), (10.0, False)])
async def test_a_plan_s_approval_ends_when_its_approver_said(
    store: Store, after_s: float, counts: bool
) -> None:
    row, envelope = of_the_plan(expires_at=NOW + 10)
    await asked(store, replace(row, state="granted"))
    call = Called("refund", "", "sha256:tool", question().arguments)
    grant = Grant("apr_a", envelope.digest)

    assert (
        await store.read(lambda c: approvals.covers(c, TENANT, grant, call, NOW + after_s))
        is counts
    )
