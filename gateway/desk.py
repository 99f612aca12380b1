"""Where requests are kept while they are planned: each turn of the story is one transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.check.admit import Accepted, Questions, Rejected, to_row
from executor.run import planning_events as e
from executor.run.perform import new_event
from executor.store import drives, ids, journal, plans, requests, runs
from executor.store.drives import Asked, Claim, Due
from executor.store.errors import StorePausedError
from executor.store.plans import PlanRow
from executor.store.requests import RequestRow
from executor.store.store import Store
from executor.store.writer import Joint, Stage
from planner.models.base import ModelError, ModelUnavailable
from planner.request import Draft, Proposal

T = TypeVar("T")
WRITE_AGAIN_S = 0.2


@dataclass(frozen=True)
class Taken:
    """A request under this drive's claim."""

    request: RequestRow
    claim: Claim
    desk: "Desk"

    async def note_draft(self, draft: Draft) -> None:
        """Let whoever watches see the draft, and why it was refused."""
        planner = self.request.model or self.desk.planner
        events: list[e.PlanningEvent] = [e.PlanDrafted(round=draft.round, planner=planner)]
        if draft.violations:
            reasons = [each.as_json() for each in draft.violations]
            events.append(e.PlanRejected(round=draft.round, violations=reasons))
        await self.desk.note(self, events)


@dataclass(frozen=True)
class Desk:
    """Turns of a request's story; `submit` asks for a drive, `changed` tells who watches.

    `planner` is the one for requests that name none.
    """

    store: Store
    clock: Callable[[], float]
    submit: Callable[[Due], None]
    changed: Callable[[Due], None]
    planner: str
    know: Callable[[str, str, Accepted], None]  # a plan of a tenant, before its run is driven

    async def take(self, due: Due, driver: str) -> Taken | None:
        """Claim a request, or None if somebody else plans it or nothing is to be done."""
        now = self.clock()
        claim = await self.store.write(Joint(drives.claims, Asked(due, driver, now), Stage.CLAIMS))
        request = await self.store.read(lambda c: requests.get(c, due.tenant, due.id))
        return None if claim is None or request is None else Taken(request, claim, self)

    async def note(self, taken: Taken, events: list[e.PlanningEvent]) -> None:
        """Add to the request's journal; raises `FencedError` once somebody else plans it."""
        claim, now = taken.claim, self.clock()
        new = [new_event(event) for event in events]
        work = partial(
            journal.append, tenant=claim.tenant, subject=claim.id, new=new, now=now, claim=claim
        )
        await self._keep(work)
        self._tell(taken)

    async def accept(self, taken: Taken, accepted: Accepted, proposal: Proposal) -> None:
        """Keep the plan, and the run with it: a request never becomes two runs."""
        claim, request, now = taken.claim, taken.request, self.clock()
        plan, run = ids.new("pln"), ids.new("run")
        starts = request.start == "auto"

        def work(c: Connection) -> tuple[Due | None, bool]:
            # First the claim is given up: a drive that lost it keeps neither plan nor run.
            if not drives.end_drive(c, claim, status="planned", now=now):
                return None, False
            requests.settle(
                c, claim, detail=_detail(proposal), plan=plan, run=run if starts else None
            )
            row = PlanRow(
                claim.tenant, plan, accepted.digest, request.principal.id, request.id,
                to_row(accepted), now,
            )  # fmt: skip
            is_whole = plans.add(c, row)
            due = None
            if starts:
                due = runs.create(
                    c, tenant=claim.tenant, run=run, plan=plan,
                    requester=request.principal.id, now=now, request=request.id,
                    priority=request.priority,
                )  # fmt: skip
            event = e.PlanAccepted(plan=plan, digest=accepted.digest)
            journal.append(c, claim.tenant, claim.id, [new_event(event)], now)
            return due, is_whole

        due, is_whole = await self._keep(work)
        if is_whole:
            self.know(claim.tenant, plan, accepted)
        if due is not None:
            self.submit(due)
        self._tell(taken)

    async def ask_or_refuse(self, taken: Taken, asked: Questions, proposal: Proposal) -> None:
        """Ask the person, or say what cannot be done."""
        detail = _detail(proposal)
        detail["questions"] = [each.model_dump(mode="json") for each in asked.questions]
        if asked.unable is not None:
            detail["unable"] = asked.unable
            await self._settle(taken, "refused", "unable", detail, [])
            return
        event = e.QuestionAsked(
            questions=[each.model_dump(mode="json") for each in asked.questions]
        )
        await self._settle(taken, "needs_answer", None, detail, [event])

    async def reject(self, taken: Taken, proposal: Proposal) -> None:
        """Say everything that was wrong with the last draft; nothing has run."""
        await self._settle(taken, "rejected", "plan-rejected", _detail(proposal), [])

    async def planner_failed(self, taken: Taken, error: ModelError) -> None:
        """Say that no model answered; the request can be tried again."""
        detail: JsonObject = {"message": str(error)}
        code = "planner-refused"
        if isinstance(error, ModelUnavailable):
            code = "planner-unavailable"
            detail["retry_after_s"] = error.retry_after_s
        await self._settle(taken, "planner_unavailable", code, detail, [])

    async def planning_broke(self, due: Due, driver: str, error: Exception) -> None:
        """Say that planning failed for a reason of ours; the request can be tried again."""
        taken = await self.take(due, driver)
        if taken is not None:
            message = f"planning broke ({type(error).__name__}): a mistake of ours, in the log"
            detail: JsonObject = {"message": message}
            await self._settle(taken, "planner_unavailable", "internal", detail, [])

    async def _settle(
        self,
        taken: Taken,
        status: str,
        code: str | None,
        detail: JsonObject,
        events: list[e.PlanningEvent],
    ) -> None:
        claim, now = taken.claim, self.clock()
        new = [new_event(event) for event in events]

        def work(c: Connection) -> None:
            if drives.end_drive(c, claim, status=status, now=now, code=code):
                requests.settle(c, claim, detail=detail)
                journal.append(c, claim.tenant, claim.id, new, now)

        await self._keep(work)
        self._tell(taken)

    async def _keep(self, work: Callable[[Connection], T]) -> T:
        """Write; while the store takes nothing, hold on to what was planned and write it again."""
        while True:
            try:
                return await self.store.write(work)
            except StorePausedError:
                await asyncio.sleep(WRITE_AGAIN_S)

    def _tell(self, taken: Taken) -> None:
        self.changed(Due("request", taken.claim.tenant, taken.claim.id))


def _detail(proposal: Proposal) -> JsonObject:
    drafts: list[JsonObject] = [
        {
            "round": draft.round,
            "text": draft.text,
            "violations": [each.as_json() for each in draft.violations],
        }
        for draft in proposal.drafts
    ]
    detail: JsonObject = {"planner": proposal.planner, "drafts": [*drafts]}
    if isinstance(proposal.verdict, Rejected):
        detail["violations"] = [each.as_json() for each in proposal.verdict.violations]
    if proposal.usage.prompt_tokens:
        detail["usage"] = {
            "prompt_tokens": proposal.usage.prompt_tokens,
            "completion_tokens": proposal.usage.completion_tokens,
            "cost_usd": proposal.usage.cost_usd,
        }
    return detail
