"""Planning without a model: the request is matched to a playbook, its inputs are read by type.

Deterministic, local, in milliseconds. What is missing is asked; what nobody knows is refused,
with what can be done instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import Integrity, JsonObject, Label
from executor.check.admit import Inputs, Questions, Rejected
from executor.plan.model import Question
from executor.playbook import Playbook
from planner.extract_inputs import options_of, read_input
from planner.request import Check, Draft, OnDraft, PlanRequest, Proposal

NAME = "playbooks"
MATCHES_FROM = 0.5
WHICH = "playbook"
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    "a an and are as at be by do for from i in is it me my of on or our please that the this "
    "to up was we with you".split()
)


@dataclass(frozen=True)
class _Match:
    playbook: Playbook
    score: float


class EmbeddedPlanner:
    """The planner that needs no model and no key."""

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self._playbooks = tuple(playbooks)

    async def propose(self, request: PlanRequest, check: Check, on_draft: OnDraft) -> Proposal:
        """Match, read the inputs, ask for what is missing, and have the plan admitted."""
        chosen = self._choose(request)
        if isinstance(chosen, Questions):
            return Proposal(chosen, NAME)
        values, questions = _read_inputs(chosen, request)
        if questions:
            return Proposal(Questions(tuple(questions), None), NAME)
        labels = {name: Label(Integrity.REQUEST) for name in values}
        inputs = Inputs(chosen.inputs_schema, values, labels)
        verdict = check(chosen.plan, inputs, chosen.options)
        violations = verdict.violations if isinstance(verdict, Rejected) else ()
        draft = Draft(1, f"playbook {chosen.name}, version {chosen.version}", violations)
        await on_draft(draft)
        return Proposal(verdict, NAME, (draft,))

    def _choose(self, request: PlanRequest) -> Playbook | Questions:
        by_name = {each.name: each for each in self._playbooks}
        if (named := by_name.get(request.answers.get(WHICH, "").strip())) is not None:
            return named
        matches = sorted(
            (_Match(each, _score(each, request.text)) for each in self._playbooks),
            key=lambda match: (-match.score, match.playbook.name),
        )
        good = [match for match in matches if match.score >= MATCHES_FROM]
        if not good:
            can = "; ".join(f"{each.name}: {each.description}" for each in self._playbooks)
            offer = f"What can be done: {can}." if can else "No playbook is configured."
            return Questions((), f"No playbook fits this request. {offer}")
        best = [match.playbook for match in good if match.score == good[0].score]
        if len(best) > 1:
            names = tuple(each.name for each in best)
            return Questions(
                (Question(about=WHICH, ask="Which of these is meant?", options=names),), None
            )
        return best[0]


def _score(playbook: Playbook, text: str) -> float:
    """The share of an utterance's words that the request has, for the best utterance."""
    said = _words(text)
    return max(
        (
            len(words & said) / len(words)
            for utterance in playbook.utterances
            if (words := _words(_PLACEHOLDER.sub(" ", utterance)))
        ),
        default=0.0,
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.casefold()) if word not in _SMALL)


def _read_inputs(playbook: Playbook, request: PlanRequest) -> tuple[JsonObject, list[Question]]:
    values: JsonObject = {}
    questions: list[Question] = []
    for name, schema in playbook.inputs.items():
        if not isinstance(schema, dict):
            continue
        if name in request.inputs:
            values[name] = request.inputs[name]
            continue
        found = _read(name, schema, request)
        if found is not None:
            values[name] = found
        elif "default" in schema:
            values[name] = schema["default"]
        else:
            questions.append(_question(name, schema, request))
    return values, questions


def _read(name: str, schema: JsonObject, request: PlanRequest) -> JsonValue:
    if name in request.answers:
        reading = read_input(schema, request.answers[name], answered=True)
        if reading.kind == "value":
            return reading.value
    reading = read_input(schema, request.text)
    return reading.value if reading.kind == "value" else None


def _question(name: str, schema: JsonObject, request: PlanRequest) -> Question:
    ask = schema.get("x-ask")
    text = ask if isinstance(ask, str) else f"What is the {name.replace('_', ' ')}?"
    several = read_input(schema, request.text).candidates
    if name in request.answers:
        text = f"{request.answers[name]!r} was not understood. {text}"
    return Question(about=name, ask=text, options=several or options_of(schema))
