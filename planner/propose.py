"""Planning with a model: draft, check, show every reason, draft again, at most twice more."""

import asyncio
from collections.abc import Sequence

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted, Inputs, Questions, Rejected, Verdict
from executor.check.certificate import Options
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.model import EXTRACT, Plan
from executor.plan.schema import strict_schema
from executor.plan.types import kind_of
from planner.models.base import Completion, Message, Model, Usage
from planner.prompt import first_messages, repair_messages
from planner.reply import read_reply
from planner.request import Check, Draft, OnDraft, PlanRequest, Proposal, too_long
from planner.search import Search
from planner.shortlist import shortlist

REPAIR_ROUNDS = 2
SHORTLIST = 40
MAX_MORE = 10
MOST_TOKENS = 200_000


class ModelPlanner:
    """One model, asked for a plan; what it writes is only ever a proposal."""

    def __init__(
        self,
        model: Model,
        *,
        search: Search | None = None,
        deadline_s: float = 60.0,
        most_tokens: int = MOST_TOKENS,
    ) -> None:
        self._model = model
        self._search = search or Search()
        self._deadline_s = deadline_s
        self._most_tokens = most_tokens

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Ask until a draft is accepted, or the rounds are over; raises `ModelError`."""
        if (told := await asyncio.to_thread(too_long, request)) is not None:
            return Proposal(Questions((), told), self._model.name)
        found = await asyncio.to_thread(shortlist, request, SHORTLIST, self._search)
        actions = _with_extract(found, request.catalog)
        inputs = Inputs(schema_of_inputs(request.inputs), request.inputs)
        messages: list[Message] = first_messages(request, actions)
        drafts: list[Draft] = []
        usage, spent = Usage(), 0
        while True:
            schema = strict_schema([*(each.name for each in actions), *FUNCTIONS])
            completion = await self._model.complete(
                messages, schema=schema, deadline_s=self._deadline_s
            )
            usage = _sum(usage, completion.usage)
            spent += _tokens(messages, completion)
            verdict = await asyncio.to_thread(_judge, completion, inputs, check)
            violations = verdict.violations if isinstance(verdict, Rejected) else ()
            drafts.append(Draft(len(drafts) + 1, completion.text, violations))
            await on_draft(drafts[-1])
            if isinstance(verdict, Accepted | Questions) or len(drafts) > REPAIR_ROUNDS:
                return Proposal(verdict, self._model.name, tuple(drafts), usage)
            if spent >= self._most_tokens:
                over = _over(spent, self._most_tokens)
                verdict = Rejected((*violations, over))
                return Proposal(verdict, self._model.name, tuple(drafts), usage)
            more = _candidates(violations, actions, request.catalog)
            actions = (*actions, *more)
            messages += repair_messages(completion.text, violations, more)


def _with_extract(found: tuple[ActionSpec, ...], catalog: Catalog) -> tuple[ActionSpec, ...]:
    """What is part of the language while it is on, whatever the words are."""
    extract = catalog.get(EXTRACT)
    return found if extract is None or extract in found else (*found, extract)


def _candidates(
    violations: tuple[Violation, ...], shown: tuple[ActionSpec, ...], catalog: Catalog
) -> tuple[ActionSpec, ...]:
    """The actions that a violation names and that were not shown: a name alone is no help."""
    names = [name for each in violations for name in each.candidates]
    found = [catalog.get(name) for name in dict.fromkeys(names)]
    new = [each for each in found if each is not None and each not in shown]
    return tuple(new[:MAX_MORE])


def schema_of_inputs(values: JsonObject) -> JsonObject:
    """The schema of inputs that came without one: their names, and the types that they have."""
    if not values:
        return {}
    names: list[JsonValue] = [*sorted(values)]
    return {
        "type": "object",
        "properties": {name: _schema_of(values[name]) for name in sorted(values)},
        "required": names,
        "additionalProperties": False,
    }


def _schema_of(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return schema_of_inputs(value) or {"type": "object", "additionalProperties": False}
        case list():
            schemas = [_schema_of(each) for each in value]
            same = bool(schemas) and all(each == schemas[0] for each in schemas)
            return {"type": "array", "items": schemas[0]} if same else {"type": "array"}
        case _:
            return {"type": kind_of(value)}


def _judge(completion: Completion, inputs: Inputs, check: Check) -> Verdict:
    """Read what a model wrote and have it admitted; it takes a while, so beside the loop."""
    read = read_reply(completion)
    # A model sets no options: they are the operator's.
    return check(read, inputs, Options()) if isinstance(read, Plan) else Rejected(read)


def _tokens(messages: Sequence[Message], completion: Completion) -> int:
    """What a draft took: as the provider says, or else a token for four characters."""
    told = completion.usage.prompt_tokens + completion.usage.completion_tokens
    sent = sum(len(each.content) for each in messages)
    return told or (sent + len(completion.text)) // 4


def _over(spent: int, most: int) -> Violation:
    message = f"planning took {spent} tokens; no draft is begun once it took {most}"
    fix = "Say the request more simply, or ask the operator for a larger budget."
    return Violation("budget-exceeded", "", message, fix=fix)


def _sum(one: Usage, other: Usage) -> Usage:
    costs = [each.cost_usd for each in (one, other) if each.cost_usd is not None]
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        sum(costs) if costs else None,
    )
