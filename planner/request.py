"""What a planner is given, and what it comes back with."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.catalog import Catalog
from connectors.spec import JsonObject
from executor.check.admit import Inputs, Verdict
from executor.check.certificate import Options
from executor.check.violation import Violation
from executor.plan.model import Plan
from planner.models.base import Usage


@dataclass(frozen=True)
class PlanRequest:
    """The words of a person, what was answered since, and the actions on offer."""

    text: str
    catalog: Catalog
    today: str
    answers: Mapping[str, str] = field(default_factory=dict)
    inputs: JsonObject = field(default_factory=dict)


MAX_CHARACTERS = 20_000
"""Of the words of a request, its answers and its inputs together."""


def too_long(request: PlanRequest) -> str | None:
    """Why a request is not planned at all: part of it unread would be a guess."""
    inputs = json.dumps(request.inputs, ensure_ascii=False) if request.inputs else ""
    found = sum(len(each) for each in (request.text, inputs, *request.answers.values()))
    if found <= MAX_CHARACTERS:
        return None
    return (
        f"The request is {found} characters long, with its answers and inputs; "
        f"at most {MAX_CHARACTERS} are read. Say it in fewer."
    )


@dataclass(frozen=True)
class Draft:
    """One attempt at a plan: the text as it came, and why it was refused, if it was."""

    round: int
    text: str
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What became of a request: the last verdict, and every draft on the way."""

    verdict: Verdict
    planner: str
    drafts: tuple[Draft, ...] = ()
    usage: Usage = field(default_factory=Usage)


Check = Callable[[Plan, Inputs, Options], Verdict]
"""Admission, as the planner sees it."""
OnDraft = Callable[[Draft], Awaitable[None]]


class Planner(Protocol):
    """Turns words into a plan that admission accepts, questions, or reasons why not."""

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Plan; raises `planner.models.base.ModelError` if no model answers."""
