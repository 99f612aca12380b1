"""Planning with a model: draft, check, show every reason, draft again, at most twice more."""

from executor.check.admit import Accepted, Inputs, Questions, Rejected, Verdict
from executor.check.certificate import Options
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.model import Plan
from executor.plan.schema import strict_schema
from planner.models.base import Message, Model, Usage
from planner.prompt import first_messages, repair_messages
from planner.reply import read_reply
from planner.request import Check, Draft, OnDraft, PlanRequest, Proposal
from planner.shortlist import shortlist

REPAIR_ROUNDS = 2
SHORTLIST = 40


class ModelPlanner:
    """One model, asked for a plan; what it writes is only ever a proposal."""

    def __init__(self, model: Model, *, deadline_s: float = 60.0) -> None:
        self._model = model
        self._deadline_s = deadline_s

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Ask until a draft is accepted, or the rounds are over; raises `ModelError`."""
        actions = shortlist(request, SHORTLIST)
        schema = strict_schema([*(each.name for each in actions), *FUNCTIONS])
        messages: list[Message] = first_messages(request, actions)
        drafts: list[Draft] = []
        usage = Usage()
        while True:
            completion = await self._model.complete(
                messages, schema=schema, deadline_s=self._deadline_s
            )
            usage = _sum(usage, completion.usage)
            verdict = self._judge(read_reply(completion), check)
            violations = verdict.violations if isinstance(verdict, Rejected) else ()
            drafts.append(Draft(len(drafts) + 1, completion.text, violations))
            await on_draft(drafts[-1])
            if isinstance(verdict, Accepted | Questions) or len(drafts) > REPAIR_ROUNDS:
                return Proposal(verdict, self._model.name, tuple(drafts), usage)
            messages += repair_messages(completion.text, violations)

    def _judge(self, read: Plan | tuple[Violation, ...], check: Check) -> Verdict:
        # A model sets no options and declares no inputs: both are the operator's.
        return check(read, Inputs(), Options()) if isinstance(read, Plan) else Rejected(read)


def _sum(one: Usage, other: Usage) -> Usage:
    costs = [each.cost_usd for each in (one, other) if each.cost_usd is not None]
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        sum(costs) if costs else None,
    )
