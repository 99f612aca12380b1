"""Planning without a model: the request is matched to a playbook, its inputs are read by type.

Deterministic, local, in milliseconds. What is missing is asked; what nobody knows is refused,
with what can be done instead.
"""

import asyncio
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from executor.check.admit import Inputs, Questions, Rejected
from executor.check.playbook import WHICH, Playbook
from executor.plan.model import Question
from planner.doubt import doubtful, unread_number
from planner.playbook_inputs import PlaybookInputs, Read
from planner.request import Check, Draft, OnDraft, PlanRequest, Proposal, too_long
from planner.utterances import Match, matches, rivals

NAME = "playbooks"
NONE = "none of these"
_NONE = frozenset({"no", "none", "neither", NONE})
_YES = frozenset({"y", "yes"})


class EmbeddedPlanner:
    """The planner that needs no model and no key."""

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self._playbooks = tuple(playbooks)

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Match, read the inputs, ask for what is missing, and have the plan admitted."""
        found = await asyncio.to_thread(self._planned, request, check)
        for draft in found.drafts:
            await on_draft(draft)
        return found

    def _planned(self, request: PlanRequest, check: Check) -> Proposal:
        """Everything that takes a while: it is done beside the loop."""
        if (told := too_long(request)) is not None:
            return Proposal(Questions((), told), NAME)
        request = _legible(request)
        chosen = self._choose(request)
        if isinstance(chosen, Questions):
            return Proposal(chosen, NAME)
        playbook = chosen.playbook
        if unknown := sorted(request.inputs.keys() - playbook.inputs.keys()):
            takes = ", ".join(playbook.inputs) or "none"
            told = f"{playbook.name} has no input called {', '.join(unknown)}; it takes: {takes}."
            return Proposal(Questions((), told), NAME)
        answers = {about: each for about, each in request.answers.items() if about != WHICH}
        read = _with_doubt(chosen, request, PlaybookInputs(chosen, request, answers).read())
        if isinstance(read, Questions):
            return Proposal(read, NAME)
        verdict = check(playbook.plan, read, playbook.options)
        violations = verdict.violations if isinstance(verdict, Rejected) else ()
        draft = Draft(1, f"playbook {playbook.name}, version {playbook.version}", violations)
        return Proposal(verdict, NAME, (draft,))

    def _choose(self, request: PlanRequest) -> Match | Questions:
        found = rivals(matches(self._playbooks, request.text))
        if not found:
            return Questions((), f"No playbook fits this request. {self._offer()}")
        answer = _plainly(request.answers.get(WHICH, ""))
        if answer in _NONE:
            return Questions((), f"None of the playbooks is meant. {self._offer()}")
        if len(found) == 1:
            return found[0]
        if answer and (named := _named(found, answer)) is not None:
            return named
        ask = "Which of these is meant? " + "; ".join(_told(each) for each in found)
        names = tuple(each.playbook.name for each in found)
        return Questions((Question(about=WHICH, ask=ask, options=(*names, NONE)),), None)

    def _offer(self) -> str:
        if not self._playbooks:
            return "No playbook is configured."
        can = "; ".join(
            f'{each.name}: {each.description} ("{each.utterances[0]}")' for each in self._playbooks
        )
        return f"What can be done: {can}."


def _legible(request: PlanRequest) -> PlanRequest:
    """The same words in one spelling of each letter, and none that cannot be written down."""
    answers = {about: _spelled(text) for about, text in request.answers.items()}
    return replace(request, text=_spelled(request.text), answers=answers)


def _spelled(text: str) -> str:
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


def _with_doubt(match: Match, request: PlanRequest, found: Read) -> Inputs | Questions:
    """Ask whether the playbook is meant, beside all else, where the words may say otherwise."""
    read = found.outcome
    values = read.values if isinstance(read, Inputs) else {}
    number = unread_number(match, found.left, request.today)
    word = doubtful(match, request.text, values) or number
    answer = _plainly(request.answers.get(WHICH, ""))
    if word is None or answer in _YES or (answer and _named((match,), answer)):
        return read
    ask = f'It says "{word}", which no playbook can weigh. Is this what is meant? {_told(match)}'
    own = Question(about=WHICH, ask=ask, options=(match.playbook.name, NONE))
    return Questions((own, *(read.questions if isinstance(read, Questions) else ())), None)


def _told(match: Match) -> str:
    return f"{match.playbook.name}: {match.playbook.description}"


def _named(found: Sequence[Match], answer: str) -> Match | None:
    for place, each in enumerate(found, 1):
        names = (each.playbook.name, each.playbook.description, str(place))
        if answer in {_plainly(name) for name in names}:
            return each
    return None


def _plainly(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split()).strip(" .!")
