"""Planning without a model: the request is matched to a playbook, its inputs are read by type.

Deterministic, local, in milliseconds. What is missing is asked; what nobody knows is refused,
with what can be done instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import Integrity, JsonObject, Label
from executor.check.admit import Inputs, Questions, Rejected
from executor.plan.model import Question
from executor.playbook import Playbook
from planner.extract_inputs import (
    Reading,
    captured,
    is_plain_number,
    is_valid,
    options_of,
    read_input,
    spoken,
    without_specific,
)
from planner.request import Check, Draft, OnDraft, PlanRequest, Proposal
from planner.utterances import Match, matches, rivals

NAME = "playbooks"
WHICH = "playbook"


class EmbeddedPlanner:
    """The planner that needs no model and no key."""

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self._playbooks = tuple(playbooks)

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Match, read the inputs, ask for what is missing, and have the plan admitted."""
        chosen = self._choose(request)
        if isinstance(chosen, Questions):
            return Proposal(chosen, NAME)
        playbook = chosen.playbook
        if unknown := sorted(request.inputs.keys() - playbook.inputs.keys()):
            takes = ", ".join(playbook.inputs) or "none"
            told = f"{playbook.name} has no input called {', '.join(unknown)}; it takes: {takes}."
            return Proposal(Questions((), told), NAME)
        read = _Inputs(chosen, request).read()
        if isinstance(read, Questions):
            return Proposal(read, NAME)
        verdict = check(playbook.plan, read, playbook.options)
        violations = verdict.violations if isinstance(verdict, Rejected) else ()
        draft = Draft(1, f"playbook {playbook.name}, version {playbook.version}", violations)
        await on_draft(draft)
        return Proposal(verdict, NAME, (draft,))

    def _choose(self, request: PlanRequest) -> Match | Questions:
        found = rivals(matches(self._playbooks, request.text))
        if not found:
            return Questions((), f"No playbook fits this request. {self._offer()}")
        if len(found) == 1:
            return found[0]
        answer = request.answers.get(WHICH)
        if answer is not None:
            if (named := _named(found, answer)) is not None:
                return named
            if _plainly(answer) in ("none", "neither", "none of these"):
                return Questions((), f"None of the playbooks is meant. {self._offer()}")
        ask = "Which of these is meant? " + "; ".join(
            f"{each.playbook.name}: {each.playbook.description}" for each in found
        )
        names = tuple(each.playbook.name for each in found)
        return Questions((Question(about=WHICH, ask=ask, options=names),), None)

    def _offer(self) -> str:
        if not self._playbooks:
            return "No playbook is configured."
        can = "; ".join(
            f'{each.name}: {each.description} ("{each.utterances[0]}")' for each in self._playbooks
        )
        return f"What can be done: {can}."


def _named(found: Sequence[Match], answer: str) -> Match | None:
    said = _plainly(answer)
    for place, each in enumerate(found, 1):
        names = (each.playbook.name, each.playbook.description, str(place))
        if said in {_plainly(name) for name in names}:
            return each
    return None


def _plainly(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split()).strip(" .!")


@dataclass(frozen=True)
class _Inputs:
    """Reads a playbook's inputs: given ones, answers, words in their place, words by their form."""

    match: Match
    request: PlanRequest

    def read(self) -> Inputs | Questions:
        """All inputs with their values and labels, or everything that is to be asked, at once."""
        values: JsonObject = {}
        labels: dict[str, Label] = {}
        questions: list[Question] = []
        for name, schema in self._schemas().items():
            if name in self.request.inputs and is_valid(schema, self.request.inputs[name]):
                values[name], integrity = self.request.inputs[name], Integrity.REQUEST
            elif (reading := self._reading(name, schema)).kind == "value":
                values[name], integrity = reading.value, Integrity.REQUEST
            elif reading.kind == "nothing" and "default" in schema and not self._tried(name):
                values[name], integrity = schema["default"], Integrity.CONFIG
            else:
                questions.append(self._question(name, schema, reading))
                continue
            labels[name] = Label(integrity)
        if questions:
            return Questions(tuple(questions), None)
        return Inputs(self.match.playbook.inputs_schema, values, labels)

    def _reading(self, name: str, schema: JsonObject) -> Reading:
        today, answers = self.request.today, self.request.answers
        if name in answers:
            return read_input(schema, answers[name], today, answered=True)
        if name in self.request.inputs:
            return Reading("nothing")
        if name in self.match.captures:
            here = captured(schema, self.match.captures[name], today)
            if here.kind == "value":
                return here
        reading = read_input(schema, self._words(name, self.request.text), today)
        for other in self._other_answers(name):
            if reading.kind == "nothing":
                reading = read_input(schema, self._words(name, other), today)
        return reading

    def _words(self, name: str, text: str) -> str:
        schemas = self._schemas()
        if not is_plain_number(schemas[name]):
            return text
        return without_specific(
            text, (each for key, each in schemas.items() if key != name), self.request.today
        )

    def _other_answers(self, name: str) -> list[str]:
        """What was said in answer to other questions belongs to the request's words, too."""
        return [text for about, text in self.request.answers.items() if about != name]

    def _schemas(self) -> Mapping[str, JsonObject]:
        return {
            name: schema
            for name, schema in self.match.playbook.inputs.items()
            if isinstance(schema, dict)
        }

    def _tried(self, name: str) -> bool:
        return name in self.request.answers or name in self.request.inputs

    def _question(self, name: str, schema: JsonObject, reading: Reading) -> Question:
        own = schema.get("x-ask")
        ask = own if isinstance(own, str) else f"What is the {name.replace('_', ' ')}?"
        given: JsonValue = self.request.answers.get(name, self.request.inputs.get(name))
        if given is not None and reading.kind == "nothing":
            ask = f"{spoken(given)!r} was not understood. {ask}"
        return Question(about=name, ask=ask, options=reading.candidates or options_of(schema))
