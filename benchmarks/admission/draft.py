"""A plan in the making: its steps with what they gave when they were recorded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.admission.choices import Anchor, Known
from benchmarks.admission.places import Place, members_of
from benchmarks.admission.told import Told
from connectors.spec import ActionSpec, JsonObject


@dataclass(frozen=True)
class Result:
    """What a step gave when it was recorded, and the schema of that."""

    value: JsonValue
    schema: JsonObject
    is_call: bool


@dataclass(frozen=True)
class Offer:
    """A read that may be made besides the others, with what it gives."""

    action: str
    args: list[JsonObject]
    result: Result


class Draft:
    """Steps and their results, in order."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.action = Told("", "")  # the name of the action that is being bound
        self.extracts: str | None = None  # the action by which a model reads a text, if any
        self.own: Mapping[str, Mapping[str, str | bool]] = {}  # of each read its `own_where`
        self.steps: list[JsonObject] = []
        self.results: dict[str, Result] = {}
        self.taken: dict[tuple[str, str], str] = {}  # what was chosen of a list or map, by its ref
        self.offers: list[Offer] = []
        self._asked: dict[tuple[str, str], str] = {}
        self._made: dict[tuple[str, Place], str] = {}

    def saved(self) -> "Saved":
        """How the plan stands, for `restore`."""
        return (
            list(self.steps), dict(self.results), dict(self.taken), dict(self._asked),
            dict(self._made),
        )  # fmt: skip

    def restore(self, saved: "Saved") -> None:
        """Take back what was added since."""
        steps, results, taken, asked, made = saved
        self.steps, self.results, self.taken = list(steps), dict(results), dict(taken)
        self._asked, self._made = dict(asked), dict(made)

    def offer(
        self, action: str, args: list[JsonObject], value: JsonValue, schema: JsonObject
    ) -> None:
        """A read to be made where something is found in it."""
        self.offers.append(Offer(action, args, Result(value, schema, True)))

    def about(self, action: ActionSpec) -> None:
        """Name the action that is being bound: its name may tell elements apart."""
        self.action = Told(action.name.replace(".", " "), "")

    def known(self) -> Known:
        """What may tell elements apart."""
        return Known(self.told, self.action, self.anchors())

    def anchors(self) -> list[Anchor]:
        """What can be referred to without choosing: members of records that steps gave."""
        return [
            Anchor(ref, name, value)
            for step, result in self.results.items()
            for ref, name, value in members_of(step, step, result.value, result.schema)
        ]

    def calls(self) -> Iterator[tuple[str, Result]]:
        """The steps that are calls so far, with what they gave."""
        return ((step, each) for step, each in [*self.results.items()] if each.is_call)

    def lists(self) -> Iterator[Place]:
        """The lists that calls gave, then what offered reads give, each made while looked at."""
        for step, result in self.calls():
            if isinstance(result.value, list):
                yield Place(step)
        for each in self.offers:
            if isinstance(each.result.value, list):
                before = self.saved()
                yield Place(self.take_up(each))
                self.restore(before)

    def value(self, place: Place) -> JsonValue:
        """The recorded value at a place; null where there is none."""
        here = self.results[place.step].value
        for token in place.path:
            if isinstance(here, dict):
                here = here.get(str(token))
            elif isinstance(here, list) and isinstance(token, int) and token < len(here):
                here = here[token]
            else:
                return None
        return here

    def made(self, action: str, place: Place) -> str | None:
        """The step that calls an action for each element of a list, if there is one."""
        return self._made.get((action, place))

    def remember(self, action: str, place: Place, step: str) -> None:
        """A step calls an action for each element of a list."""
        self._made[action, place] = step

    def call(
        self,
        action: str,
        args: list[JsonObject],
        value: JsonValue,
        schema: JsonObject,
        **more: JsonValue,
    ) -> str:
        """Add a call of an action; gives its id."""
        return self._add(action.replace(".", "_"), action, args, Result(value, schema, True), more)

    def take_up(self, offer: Offer) -> str:
        """Add an offered read; gives its id."""
        return self.call(offer.action, offer.args, offer.result.value, offer.result.schema)

    def function(self, name: str, args: list[JsonObject], value: JsonValue, schema: JsonObject,
                 **more: JsonValue) -> str:  # fmt: skip
        """Add a step of `fn.*`; gives its id."""
        return self._add(name, f"fn.{name}", args, Result(value, schema, False), more)

    def once(self, name: str, args: list[JsonObject], value: JsonValue, schema: JsonObject) -> str:
        """A step of `fn.*`, or the one that asks the same already."""
        key = (name, repr(args))
        if key not in self._asked:
            self._asked[key] = self.function(name, args, value, schema)
        return self._asked[key]

    def plan(self) -> JsonObject:
        """The plan as it stands."""
        return {"steps": [*self.steps]}

    def extracted(self) -> dict[str, JsonValue]:
        """What the model calls of the plan gave, by step."""
        return {
            str(each["id"]): self.results[str(each["id"])].value
            for each in self.steps
            if self.extracts and each["action"] == self.extracts
        }

    def _add(
        self, stem: str, action: str, args: list[JsonObject], result: Result, more: JsonObject
    ) -> str:
        number = sum(1 for each in self.steps if str(each["id"]).rpartition("_")[0] == stem[:36])
        name = f"{stem[:36]}_{number}"
        self.steps.append({"id": name, "action": action, "args": [*args], **more})
        self.results[name] = result
        return name


Saved = tuple[
    list[JsonObject],
    dict[str, Result],
    dict[tuple[str, str], str],
    dict[tuple[str, str], str],
    dict[tuple[str, Place], str],
]
