"""What calls are answered with in a rehearsal: recorded answers where there are, else made up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Literal

from pydantic import JsonValue

from connectors.by_item import all_happened
from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.rehearse.fake import Reads, Unfakeable, Variation, Wish, make_up
from executor.rehearse.origins import Origin
from executor.rehearse.promised import promised
from executor.rehearse.reading import reads_of, reads_of_undo
from executor.run.keys import args_hash
from executor.run.state import Place, undoes

Source = Literal["made_up", "recorded"]
Upset = Literal["refused", "lost", "not_approved"]


@dataclass(frozen=True)
class Answer:
    """One answer, and where it comes from."""

    output: JsonValue
    source: Source


@dataclass(frozen=True)
class Recorded:
    """Answers of earlier runs, by the definition's digest and the arguments' hash, and how long.

    `durations` are seconds by the digest of the definition.
    """

    answers: Mapping[tuple[str, str], JsonValue] = field(default_factory=dict)
    durations: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def duration_s(self, action: ActionSpec) -> float | None:
        """How long such a call takes, as a rule; None if none was ever made."""
        found = self.durations.get(action.digest)
        return median(found) if found else None


@dataclass(frozen=True)
class Setback:
    """What goes wrong in a scenario: a call is refused or its answer lost, or a person says no.

    Of an approval of the whole plan the place is that of no step.
    """

    place: Place
    upset: Upset


@dataclass(frozen=True)
class Script:
    """What makes one scenario: how the answers of steps are varied, and what goes wrong."""

    size: int
    variations: Mapping[str, Variation] = field(default_factory=dict)
    setback: Setback | None = None

    def of(self, step: str) -> Variation:
        """How the answers of a step are varied."""
        return self.variations.get(step) or Variation(self.size)

    def wishing(self, *wishes: tuple[Origin, Wish]) -> "Script":
        """The same with values wished for at places of answers."""
        varied = {**self.variations}
        for origin, wish in wishes:
            before = varied.get(origin.step) or Variation(self.size)
            varied[origin.step] = before.with_(origin.path, wish)
        return Script(self.size, varied, self.setback)

    def sized(self, step: str, size: int) -> "Script":
        """The same with lists of this length in the answers of a step."""
        wishes = {
            path: wish
            for path, wish in self.of(step).wishes.items()
            if size or not any(token.isdecimal() for token in path)
        }
        return Script(self.size, {**self.variations, step: Variation(size, wishes)}, self.setback)

    @property
    def key(self) -> tuple[tuple[str, bytes], ...]:
        """Equal for equal scripts without setbacks."""
        return tuple(sorted((step, each.key) for step, each in self.variations.items()))


@dataclass(frozen=True)
class Answers:
    """Gives every call of one plan its answer."""

    accepted: Accepted
    recorded: Recorded

    def to(
        self, script: Script, place: Place, action: ActionSpec, arguments: JsonObject
    ) -> Answer | Unfakeable:
        """The answer to one call, or why there is none."""
        undone = undoes(place)
        step = place[0] if undone is None else undone[0]
        if undone is not None or step not in script.variations:
            known = (action.digest, args_hash(arguments))
            if known in self.recorded.answers:
                return Answer(self.recorded.answers[known], "recorded")
        variation = script.of(step) if undone is None else Variation(script.size)
        reads = self._of_undo if undone is not None else self._reads.get(step, Reads())
        schema = action.output_schema if undone is not None else self._promised.get(step)
        made_up = _made_up(schema or {}, reads, variation, int(place[1] or 0))
        if isinstance(made_up, Unfakeable):
            return made_up
        return Answer(all_happened(action, arguments, made_up), "made_up")

    @cached_property
    def _promised(self) -> Mapping[str, JsonObject]:
        return promised(self.accepted)

    @cached_property
    def _reads(self) -> Mapping[str, Reads]:
        return reads_of(self.accepted)

    @cached_property
    def _of_undo(self) -> Reads:
        return reads_of_undo(self.accepted)


def _made_up(
    schema: JsonObject, reads: Reads, variation: Variation, index: int
) -> JsonValue | Unfakeable:
    try:
        return make_up(schema, reads, variation, index)
    except Unfakeable as why:
        return why
