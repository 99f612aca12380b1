"""The inputs of one playbook, read from a request: given, answered, or said, and nothing twice.

What stands in a place of the utterance is read there; everything else is read by its form from
the words that are left. A value that could also be another one's, or that is said once more and
differently, is a question.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from connectors.spec import Integrity, JsonObject, Label
from executor.check.admit import Inputs, Questions
from executor.plan.model import Question
from planner.extract_inputs import (
    Reading,
    captured,
    is_plain_number,
    is_valid,
    options_of,
    parts,
    read_input,
    spoken,
    takes_numbers,
    without,
    without_specific,
)
from planner.request import PlanRequest
from planner.said import Span
from planner.utterances import Match

NOTHING = Reading("nothing")
WORDS = ""  # where a value stands that stands in the request itself; else, in the answer to this


@dataclass(frozen=True)
class Read:
    """The inputs, or what is to be asked; and the request's words without those that were used."""

    outcome: Inputs | Questions
    left: str


@dataclass(frozen=True)
class PlaybookInputs:
    """Reads the inputs of the playbook that a request means; `answers` are those about them."""

    match: Match
    request: PlanRequest
    answers: Mapping[str, str]

    def read(self) -> Read:
        """All inputs with their values and labels, or everything that is to be asked, at once."""
        values: JsonObject = {}
        labels: dict[str, Label] = {}
        questions: list[Question] = []
        given = self.request.inputs
        readings = self._readings()
        for name, schema in self.schemas().items():
            reading = readings.get(name, NOTHING)
            if name in given and is_valid(schema, given[name]):
                values[name], integrity = given[name], Integrity.REQUEST
            elif reading.kind == "value":
                values[name], integrity = reading.value, Integrity.REQUEST
            elif reading.kind == "nothing" and "default" in schema and not self._tried(name):
                values[name], integrity = schema["default"], Integrity.CONFIG
            else:
                questions.append(self._question(name, schema, reading))
                continue
            labels[name] = Label(integrity)
        left = without(self.request.text, self._used(readings))
        if questions:
            return Read(Questions(tuple(questions), None), left)
        return Read(Inputs(self.match.playbook.inputs_schema, values, labels), left)

    def schemas(self) -> Mapping[str, JsonObject]:
        """The schema of each input."""
        return {
            name: schema
            for name, schema in self.match.playbook.inputs.items()
            if isinstance(schema, dict)
        }

    def _readings(self) -> dict[str, Reading]:
        """What was said of every input that was not given."""
        schemas, today = self.schemas(), self.request.today
        texts = {WORDS: self.request.text, **self.answers}
        found = {
            name: read_input(schemas[name], text, today, answered=True)
            for name, text in self.answers.items()
            if name in schemas
        }
        taken = {about: list(reading.spans) for about, reading in found.items()}
        in_place = self._in_place(schemas)
        taken[WORDS] = [span for reading in in_place.values() for span in reading.spans]
        left = {about: without(text, taken.get(about, ())) for about, text in texts.items()}
        places: dict[str, set[tuple[str, Span]]] = {}
        for name in schemas:
            if name in found or name in self.request.inputs:
                continue
            about, reading = self._said(name, schemas, left)
            if name in in_place and is_plain_number(schemas[name]):
                # Any other number would do as well: whether one is left is asked once, for all.
                found[name] = in_place[name]
            elif name in in_place:
                found[name] = _once(in_place[name], reading)
            else:
                found[name] = reading
                places[name] = {(about, span) for span in reading.spans}
        return found | _told_twice(found, places)

    def _in_place(self, schemas: Mapping[str, JsonObject]) -> dict[str, Reading]:
        """What stands in the places of the utterance, where that is a value."""
        found: dict[str, Reading] = {}
        for name, (start, end) in self.match.captures.items():
            if name not in schemas or name in self.answers or name in self.request.inputs:
                continue
            words = self.request.text[start:end]
            reading = captured(schemas[name], words, self.request.today)
            if reading.kind == "value":
                spans = tuple((start + a, start + b) for a, b in reading.spans)
                found[name] = replace(reading, spans=spans)
        return found

    def _said(
        self, name: str, schemas: Mapping[str, JsonObject], left: Mapping[str, str]
    ) -> tuple[str, Reading]:
        """What the words that are left say: the request's, then those of the answers."""
        others = [each for key, each in schemas.items() if key != name]
        for about, text in left.items():
            words = text
            if is_plain_number(schemas[name]):
                words = without_specific(text, others, self.request.today)
            reading = read_input(schemas[name], words, self.request.today)
            if reading.kind != "nothing":
                return about, reading
        return WORDS, NOTHING

    def _used(self, readings: Mapping[str, Reading]) -> list[Span]:
        """Where the request's words speak of the inputs, those that were given or answered too."""
        schemas, text = self.schemas(), self.request.text
        places = self._in_place(schemas)
        spans = [span for each in places.values() for span in each.spans]
        left = without(text, spans)
        for name in schemas:
            _, found = self._said(name, schemas, {WORDS: left})
            told = readings.get(name, NOTHING)
            same = found.kind == told.kind == "value" and found.value == told.value
            asked = name not in places or not is_plain_number(schemas[name])
            if same or asked or self._tried(name):
                spans += found.spans
            if takes_numbers(schemas[name]) and self._is_asked(name, schemas[name], told):
                spans += parts(left)
        return spans

    def _is_asked(self, name: str, schema: JsonObject, told: Reading) -> bool:
        """Whether a person says what it is, now or before, whatever the request's words say."""
        if told.kind == "nothing":
            return self._tried(name) or "default" not in schema
        return self._tried(name) or told.kind == "several"

    def _tried(self, name: str) -> bool:
        return name in self.answers or name in self.request.inputs

    def _question(self, name: str, schema: JsonObject, reading: Reading) -> Question:
        own = schema.get("x-ask")
        ask = own if isinstance(own, str) else f"What is the {name.replace('_', ' ')}?"
        given: JsonValue = self.answers.get(name, self.request.inputs.get(name))
        if given is not None and reading.kind == "nothing":
            ask = f"{_short(spoken(given))!r} was not understood. {ask}"
        several = reading.candidates if len(reading.candidates) > 1 else ()
        options = several or options_of(schema) or reading.candidates
        return Question(about=name, ask=ask, options=options)


def _once(here: Reading, elsewhere: Reading) -> Reading:
    """A value in its place, unless the other words say another one."""
    told = elsewhere.candidates
    if elsewhere.kind == "value":
        told = (spoken(elsewhere.value),)
    every = tuple(dict.fromkeys([spoken(here.value), *told]))
    return here if len(every) == 1 else Reading("several", candidates=every)


def _told_twice(
    found: Mapping[str, Reading], places: Mapping[str, set[tuple[str, Span]]]
) -> dict[str, Reading]:
    """The inputs that were read from the same words: which one is meant is asked."""
    return {
        name: Reading("several", candidates=(spoken(found[name].value),))
        for name, own in places.items()
        if any(own & others for other, others in places.items() if other != name)
    }


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
