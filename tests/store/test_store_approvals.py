"""An approval is decided once, by the right people, in time, for exactly what was shown."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import create_engine, func, select
from store_cases import (
    APPROVER,
    NOW,
    REQUESTER,
    RUN,
    TENANT,
    add_run,
    intent,
    new_run,
    outcome,
    question,
    written,
)

from connectors.spec import Effect, Principal
from executor.check.envelope import Band, CoveredStep, Envelope
from executor.check.grant import Grant
from executor.store import approvals, drives, ready, rulings, runs
from executor.store.approvals import Called
from executor.store.calls import Intent, record_intent, record_outcome
from executor.store.drives import Claim
from executor.store.open_journal import OpenJournal
from executor.store.permits import Blocked
from executor.store.rulings import Decision
from executor.store.store import Store
from executor.store.tables import decisions, metadata

SECOND = Principal("second", TENANT, frozenset({"approver"}))
PEOPLE = (
    REQUESTER,
    APPROVER,
    SECOND,
    Principal("third", TENANT, frozenset({"approver", "operator"})),
    Principal("visitor", TENANT, frozenset({"requester"})),
)


async def _ask(store: Store, *, quorum: int = 1) -> None:
    await store.write(new_run)
    await store.write(lambda c: approvals.create(c, question(quorum=quorum)))


async def _decide(
    store: Store, by: Principal, decision: Decision = "approve", now: float = NOW
) -> str:
    return await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_a", by, decision, "checked", now)
    )


async def test_a_question_is_shown_as_it_was_asked(store: Store) -> None:
    await _ask(store)

    assert await store.read(lambda c: approvals.get(c, TENANT, "apr_a")) == question()
    assert await store.read(lambda c: approvals.get(c, "other", "apr_a")) is None


async def test_an_approval_wakes_its_run(store: Store) -> None:
    await _ask(store)
    claim = await store.write(lambda c: drives.claim(c, RUN, "me", NOW))
    assert claim is not None
    await store.write(lambda c: drives.end_drive(c, claim, status="waiting", now=NOW))
    ruling = await _decide(store, APPROVER)

    assert ruling == "granted"
    assert await store.read(lambda c: ready.due(c, NOW)) == [RUN]


async def test_nobody_decides_on_their_own_request(store: Store) -> None:
    await _ask(store)

    assert await _decide(store, REQUESTER) == "own"
    assert await _decide(store, REQUESTER, "refuse") == "own"


async def test_who_lacks_the_role_does_not_decide(store: Store) -> None:
    await _ask(store)

    assert await _decide(store, Principal("visitor", TENANT)) == "role"


async def test_the_same_decision_again_is_a_repetition_and_the_opposite_a_conflict(
    store: Store,
) -> None:
    await _ask(store)
    rulings = [await _decide(store, APPROVER), await _decide(store, APPROVER)]
    rulings += [await _decide(store, APPROVER, "refuse"), await _decide(store, SECOND, "refuse")]

    assert rulings == ["granted", "repeated", "conflict", "conflict"]


async def test_a_quorum_counts_people_and_one_refusal_ends_it(store: Store) -> None:
    await _ask(store, quorum=2)
    rulings = [await _decide(store, APPROVER), await _decide(store, APPROVER)]
    before = await store.read(lambda c: approvals.covers(c, TENANT, *_COVERED, NOW))
    rulings.append(await _decide(store, SECOND))

    assert rulings == ["counted", "repeated", "granted"]
    assert not before
    assert await store.read(lambda c: approvals.covers(c, TENANT, *_COVERED, NOW))


async def test_a_yes_that_has_settled_nothing_is_taken_back_by_a_no(store: Store) -> None:
    await _ask(store, quorum=2)
    rulings = [await _decide(store, APPROVER), await _decide(store, APPROVER, "refuse")]
    rulings += [await _decide(store, APPROVER, "refuse"), await _decide(store, APPROVER)]
    rulings.append(await _decide(store, SECOND))

    assert rulings == ["counted", "refused", "repeated", "conflict", "conflict"]
    assert not await store.read(lambda c: approvals.covers(c, TENANT, *_COVERED, NOW))


BOTH = Principal("both", TENANT, frozenset({"approver", "finance"}))
ENVELOPE = {"kind": "envelope", "step": "", "steps": ("mail", "refund"), "args_hash": "sha256:all"}


@pytest.mark.parametrize(
    ("second", "ruling"),
    [
        ({}, "twice"),
        ({"args_hash": "sha256:other"}, "granted"),
        ({"step": "mail", "steps": ("mail",)}, "granted"),
        (ENVELOPE, "twice"),
        (ENVELOPE | {"steps": ("mail",)}, "granted"),
        ({"role": "approver"}, "granted"),
        ({"run": "run_b"}, "granted"),
    ],
    ids=["same", "other-values", "other-step", "plan", "plan-without-it", "same-role", "other-run"],
)
async def test_nobody_says_yes_to_one_call_in_two_roles(
    store: Store, second: dict[str, Any], ruling: str
) -> None:
    await _ask(store)
    asked = replace(question("apr_b"), **({"role": "finance"} | second))
    await store.write(lambda c: approvals.create(c, asked))
    first = await _decide(store, BOTH)
    then = await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_b", BOTH, "approve", "checked", NOW)
    )

    assert (first, then) == ("granted", ruling)


@pytest.mark.parametrize("newer", ["mail", "refund"])
async def test_a_yes_counts_though_the_other_role_was_asked_about_another_step_since(
    store: Store, newer: str
) -> None:
    """Finance is asked about each of two calls, and the approvers about a plan with both."""
    await store.write(new_run)
    plan = replace(question(), **ENVELOPE)
    about = {"mail": ("mail", NOW), "refund": ("refund", NOW)} | {newer: (newer, NOW + 1)}
    for step, at in about.values():
        finance = replace(question(f"apr_{step}"), role="finance", created_at=at)
        finance = replace(finance, step=step, steps=(step,), args_hash=f"sha256:{step}")
        await store.write(partial(approvals.create, row=finance))
    await store.write(partial(approvals.create, row=plan))
    rule = partial(rulings.decide, tenant=TENANT, by=BOTH, decision="approve", reason="checked")
    first = await store.write(partial(rule, approval="apr_refund", now=NOW + 2))
    then = await store.write(partial(rule, approval="apr_a", now=NOW + 2))

    assert (first, then) == ("granted", "twice")


async def test_a_yes_that_was_asked_for_anew_counts_no_more(store: Store) -> None:
    await _ask(store)
    await _decide(store, BOTH)
    anew = replace(question("apr_c"), created_at=NOW + 1)
    for each in (replace(question("apr_b"), role="finance"), anew):
        await store.write(partial(approvals.create, row=each))
    ruling = await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_b", BOTH, "approve", "checked", NOW)
    )

    assert ruling == "granted"


async def test_a_yes_counts_though_what_it_took_the_place_of_was_asked_at_the_same_time(
    store: Store,
) -> None:
    await _ask(store)
    await _decide(store, BOTH)
    void = replace(question("apr_z"), state="void")  # listed after the one that stands
    for each in (void, replace(question("apr_b"), role="finance")):
        await store.write(partial(approvals.create, row=each))
    ruling = await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_b", BOTH, "approve", "checked", NOW)
    )

    assert ruling == "twice"


async def test_a_yes_counts_though_the_plan_was_approved_at_the_time_when_it_was_asked_for(
    store: Store,
) -> None:
    await _ask(store)
    await _decide(store, BOTH)
    plan = replace(question("apr_z"), **ENVELOPE, state="granted")  # listed after the step's
    for each in (plan, replace(question("apr_b"), role="finance")):
        await store.write(partial(approvals.create, row=each))
    ruling = await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_b", BOTH, "approve", "checked", NOW)
    )

    assert ruling == "twice"


_CALL = Called("refund", "", "sha256:tool", question().arguments)
_COVERED = (Grant("apr_a", "sha256:args"), _CALL)


@pytest.mark.parametrize("marked", [False, True])
async def test_too_late_is_expired_whether_or_not_anybody_has_noticed(
    store: Store, marked: bool
) -> None:
    await _ask(store)
    if marked:
        await store.write(lambda c: approvals.end(c, TENANT, "apr_a", "expired"))

    assert await _decide(store, APPROVER, now=NOW + 3600) == "expired"


async def _under_an_envelope(store: Store) -> tuple[Claim, Intent]:
    """A run whose step may be called at one place under an approval of its plan."""
    covered = CoveredStep(
        step="refund", action="payments.refund_create", action_digest="sha256:tool", calls=1,
        effect=Effect.KEYED, irreversible=False, call="refund", is_sure=True,
        bands=(Band(at="amount", kind="any"),),
    )  # fmt: skip
    envelope = Envelope(role="approver", steps=(covered,))
    row = replace(
        question(), kind="envelope", step="", state="granted", args_hash=envelope.digest,
        arguments=envelope.model_dump(mode="json"),
    )  # fmt: skip
    claim = await store.write(new_run)
    await store.write(lambda c: approvals.create(c, row))
    call = intent()._replace(
        tool_digest="sha256:tool", grants=(Grant("apr_a", envelope.digest),),
        arguments=question().arguments,
    )  # fmt: skip
    return claim, call


async def test_calls_that_begin_together_are_no_more_than_were_approved(store: Store) -> None:
    claim, call = await _under_an_envelope(store)

    def both(journal: OpenJournal) -> list[Blocked | float]:
        items = (call._replace(iteration=item) for item in ("0", "1"))
        return [record_intent(journal, each, NOW) for each in items]

    first, second = await store.write(lambda c: written(c, claim, both))

    assert isinstance(first, float)
    assert second == Blocked("approval")


async def test_a_call_that_is_made_again_is_no_other_one_for_its_approval(store: Store) -> None:
    claim, call = await _under_an_envelope(store)
    await store.write(lambda c: written(c, claim, record_intent, call, NOW))
    await store.write(lambda c: written(c, claim, record_outcome, outcome("uncertain"), NOW))
    second = call._replace(n=2)
    again = await store.write(lambda c: written(c, claim, record_intent, second, NOW))

    assert isinstance(again, float)


async def test_what_was_granted_does_not_cover_other_arguments_another_tool_or_later_times(
    store: Store,
) -> None:
    await _ask(store)
    await _decide(store, APPROVER)
    covers = [
        await store.read(lambda c, case=case: approvals.covers(c, TENANT, *case))
        for case in (
            (*_COVERED, NOW),
            (Grant("apr_a", "sha256:other"), _CALL, NOW),
            (Grant("apr_a", "sha256:args"), replace(_CALL, action_digest="sha256:other"), NOW),
            (*_COVERED, NOW + 3600),
            (Grant("apr_b", "sha256:args"), _CALL, NOW),
        )
    ]

    assert covers == [True, False, False, False, False]


async def test_after_cancel_nothing_is_decided(store: Store) -> None:
    await _ask(store)
    await store.write(lambda c: runs.request_cancel(c, TENANT, RUN.id, "stop", NOW))

    assert await _decide(store, APPROVER) == "void"


async def test_what_a_run_no_longer_waits_for_is_void(store: Store) -> None:
    await _ask(store)
    await store.write(lambda c: approvals.close(c, (TENANT, RUN.id), state="void"))

    assert await _decide(store, APPROVER) == "void"


async def test_of_an_approval_and_a_refusal_at_once_one_wins(store: Store) -> None:
    await _ask(store)
    ruled = await asyncio.gather(
        *(
            store.write(
                partial(
                    rulings.decide, tenant=TENANT, approval="apr_a",
                    by=Principal(f"approver-{n}", TENANT, frozenset({"approver"})),
                    decision="approve" if n % 2 else "refuse", reason="checked", now=NOW,
                )
            )
            for n in range(20)
        )
    )  # fmt: skip

    assert len([each for each in ruled if each in ("granted", "refused")]) == 1
    assert len([each for each in ruled if each == "conflict"]) == 10


async def test_open_questions_are_listed_for_their_tenant_alone(store: Store) -> None:
    await _ask(store)
    await store.write(lambda c: approvals.create(c, question("apr_b")))
    await _decide(store, APPROVER)
    listed = await store.read(lambda c: approvals.listed(c, TENANT, state="open"))

    assert [row.id for row in listed] == ["apr_b"]
    assert await store.read(lambda c: approvals.listed(c, "other")) == []
    assert len(await store.read(lambda c: approvals.listed(c, TENANT, run=RUN.id))) == 2


async def test_an_unknown_approval_is_not_decided(store: Store) -> None:
    await _ask(store)

    with pytest.raises(KeyError):
        await store.write(
            lambda c: rulings.decide(c, "other", "apr_a", APPROVER, "approve", "x", NOW)
        )


SAID: st.SearchStrategy[Decision] = st.sampled_from(["approve", "approve", "refuse"])
CLOSED: st.SearchStrategy[Literal["cancelled", "void", "expired"]]
CLOSED = st.sampled_from(["cancelled", "void", "expired"])


class Approving(RuleBasedStateMachine):
    """Many people decide in any order while time passes, the run is cancelled or ends."""

    def __init__(self) -> None:
        super().__init__()
        self._engine = create_engine("sqlite://")
        metadata.create_all(self._engine)
        self._c = self._engine.connect()
        self._now = NOW
        self._approved: set[str] = set()
        self._settled: str | None = None
        self._settled_at = NOW

    @initialize(quorum=st.integers(1, 3))
    def ask(self, quorum: int) -> None:
        """Ask once."""
        self._quorum = quorum
        add_run(self._c)
        approvals.create(self._c, question(quorum=quorum, expires_at=NOW + 100))

    @rule(said=st.lists(st.tuples(st.sampled_from(PEOPLE), SAID), min_size=1, max_size=4))
    def decide(self, said: list[tuple[Principal, Decision]]) -> None:
        """Some people decide, one after the other."""
        for by, decision in said:
            self._decides(by, decision)

    def _decides(self, by: Principal, decision: Decision) -> None:
        ruling = rulings.decide(self._c, TENANT, "apr_a", by, decision, "checked", self._now)
        may = by.id != REQUESTER.id and "approver" in by.roles

        assert (ruling in ("own", "role")) is not may
        if ruling in ("granted", "refused", "counted"):
            assert self._settled is None
            assert self._now < NOW + 100
        if ruling in ("granted", "counted"):
            assert by.id not in self._approved
            self._approved.add(by.id)
        if ruling in ("granted", "refused"):
            self._settled, self._settled_at = ruling, self._now
            assert ruling == "refused" or len(self._approved) == self._quorum
        if ruling == "refused":
            self._approved.discard(by.id)  # who said yes before has taken it back

    @rule(seconds=st.sampled_from([1.0, 40.0, 100.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self._now += seconds

    @rule(how=CLOSED)
    def close(self, how: Literal["cancelled", "void", "expired"]) -> None:
        """Somebody cancels the run, or it stops waiting."""
        if how != "cancelled":
            approvals.close(self._c, (TENANT, RUN.id), state=how)
        elif not runs.request_cancel(self._c, TENANT, RUN.id, "stop", self._now):
            return
        self._settled = self._settled or how

    @invariant()
    def what_is_settled_stays(self) -> None:
        """Nothing changes a ruling, and only a grant in time lets the call pass."""
        row = approvals.get(self._c, TENANT, "apr_a")
        if row is None:
            return
        if self._settled in ("granted", "refused"):
            assert row.state == self._settled
        covers = approvals.covers(self._c, TENANT, *_COVERED, self._now)
        assert covers is (self._settled == "granted" and self._now < NOW + 100)
        counted = self._c.execute(select(func.count()).select_from(decisions)).scalar_one()
        assert counted == len(self._approved) + (self._settled == "refused")

    def teardown(self) -> None:
        """Close the database."""
        self._c.close()
        self._engine.dispose()


TestApproving = Approving.TestCase
TestApproving.settings = settings(max_examples=60, stateful_step_count=25)
