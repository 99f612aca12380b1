"""Where every argument of a gold call comes from, written as arguments of the plan language."""

import json
import re
from decimal import Decimal

from pydantic import JsonValue

from benchmarks.admission.draft import Draft
from benchmarks.admission.finding import (
    holds,
    is_read,
    numbers,
    reach_list,
    reach_number,
    reach_value,
)
from benchmarks.admission.places import Place
from benchmarks.admission.sums import sum_of
from benchmarks.admission.ways import KEY, reach
from connectors.spec import ActionSpec, JsonObject
from executor.check.entry import sinks_at
from executor.plan.types import Type, as_list, as_object, descend

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# What a model may be asked for: a number, or a text of no more than so many characters.
EXTRACTED: dict[str, JsonObject] = {
    "number": {"type": "number"},
    "text": {"type": "string", "maxLength": 5000},
}
_CALCULATION = re.compile(r"[\d.\s()]+[+*/-][\d.\s()+*/-]+")


class NoSource(Exception):
    """A value whose origin cannot be written, so neither can the task; says shortly why."""


def arguments_of(
    draft: Draft,
    action: ActionSpec,
    arguments: JsonObject,
    provenance: JsonObject,
    places: list[Place | None],
) -> list[JsonObject]:
    """The arguments of a call; raises `NoSource`."""
    draft.about(action)
    sources = _Sources(draft, action, provenance, places)
    properties = as_object(action.input_schema.get("properties"))
    return [
        arg
        for name, value in arguments.items()
        if "default" not in (declared := as_object(properties.get(name)))
        or value != declared["default"]
        for arg in sources.of(value, (name,))
    ]


class _Sources:
    def __init__(
        self,
        draft: Draft,
        action: ActionSpec,
        provenance: JsonObject,
        places: list[Place | None],
    ) -> None:
        self._draft = draft
        self._action = action
        self._provenance = provenance
        self._places = places

    def of(self, value: JsonValue, to: tuple[str, ...]) -> list[JsonObject]:
        """The arguments that bring `value` to `to`."""
        at = "/".join(to)
        if value in ([], {}):
            return [{"json": "[]" if value == [] else "{}", "to": at}]
        if isinstance(value, list):
            return self._of_list(value, to, at)
        if isinstance(value, dict):
            return [arg for name, member in value.items() for arg in self.of(member, (*to, name))]
        return [self._of_scalar(value, to, at)]

    def _of_list(self, value: list[JsonValue], to: tuple[str, ...], at: str) -> list[JsonObject]:
        before = self._draft.saved()
        ref = reach_value(self._draft, value, _names(to)) if self._draft.extracts else None
        if ref is not None:
            return [{"ref": ref, "to": at}]  # as it was read, before a model reads it again
        try:
            return [
                arg
                for index, element in enumerate(value)
                for arg in self.of(element, (*to, str(index)))
            ]
        except NoSource:
            self._draft.restore(before)
            if (ref := reach_list(self._draft, value)) is None:
                raise
            return [{"ref": ref, "to": at}]

    def _of_scalar(self, value: JsonValue, to: tuple[str, ...], at: str) -> JsonObject:
        said = as_object(self._provenance.get(f"/{at}"))
        kind = said.get("kind", "other")
        literal: JsonObject = {"value": value, "to": at}
        if self._is_choice(to) or (kind in ("literal", "const") and not self._is_read(value, to)):
            return literal
        is_today = value == self._draft.told.today
        is_there = kind == "ref" or (kind == "ref-select" and not is_today)
        ref = self._from_place(said, value) if is_there else None
        if ref is None and self._is_said(value, to):
            return literal
        if ref is None and is_today:
            return {"ref": "input/today", "to": at}
        names = _names(to) | {*map(str, as_list(said.get("from_path"))[-1:])}
        ref = ref or reach_value(self._draft, value, names)
        if ref is not None:
            return {"ref": ref, "to": at}
        if isinstance(value, str) and _CALCULATION.fullmatch(value):
            return {"text": self._calculation(value), "to": at}
        found = self._computed(value) or self._extracted(value, said)
        if found is not None:
            return {"ref": found, "to": at}
        is_known = kind != "text" and is_read(self._draft, value, names)
        raise NoSource(_reason("ref" if is_known else str(kind), _name(to)))

    def _is_said(self, value: JsonValue, to: tuple[str, ...]) -> bool:
        """Whether the words say it; what a read is asked for may be said in another order."""
        told = self._draft.told
        if told.literally(value) or self._is_moment(value):
            return True
        is_asked = not self._action.is_write and not sinks_at(self._action, to)
        return is_asked and isinstance(value, str) and told.in_other_order(value)

    def _is_read(self, value: JsonValue, to: tuple[str, ...]) -> bool:
        """Whether an id is in a result and in no word, but by its letters: `24` is in `2024`."""
        is_id = _name(to).endswith("id") and not self._draft.told.loosely(value)
        return is_id and holds(self._draft, value, _names(to))

    def _computed(self, value: JsonValue) -> str | None:
        """What numbers of the words make of one that was read: no model is asked to calculate."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        read = [Decimal(repr(each)) for each in numbers(self._draft)]
        found = sum_of(Decimal(repr(value)), self._draft.told.figures(), read)
        ref = reach_number(self._draft, float(found.read)) if found is not None else None
        if found is None or ref is None:
            return None
        for name, said, result in found.steps:
            args: list[JsonObject] = [
                {"ref": ref, "to": "left"},
                {"value": float(said), "to": "right"},
            ]
            ref = self._draft.function(name, args, float(result), {"type": "number"})
        return ref

    def _extracted(self, value: JsonValue, said: JsonObject) -> str | None:
        """What a model makes of a text that was read: of the one named, else of the last."""
        if self._draft.extracts is None:
            return None
        place = self._places[int(str(said["from_step"]))] if "from_step" in said else None
        read = [each for each in self._places if each is not None]
        source = place or (read[-1] if read else None)
        ref = reach(self._draft, source) if source is not None else None
        if ref is None:
            return None
        schema = EXTRACTED["number" if isinstance(value, int | float) else "text"]
        args: list[JsonObject] = [
            {"ref": ref, "to": "text"},
            {"json": json.dumps(schema), "to": "schema"},
        ]
        return self._draft.call(self._draft.extracts, args, value, schema)

    def _is_moment(self, value: JsonValue) -> bool:
        """A date and a time, or a duration, that were said in other words."""
        told = self._draft.told
        return isinstance(value, str) and (told.moment(value) or told.minutes(value))

    def _from_place(self, said: JsonObject, value: JsonValue) -> str | None:
        place = self._places[int(str(said["from_step"]))]
        if place is None:
            return None
        path = [each if isinstance(each, int) else str(each) for each in as_list(said["from_path"])]
        path += [str(value)] if path[-1:] == [KEY] else []
        return reach(self._draft, Place(place.step, (*place.path, *path)))

    def _is_choice(self, to: tuple[str, ...]) -> bool:
        """Whether the catalogue enumerates what may stand here."""
        target = descend(Type.of(self._action.input_schema), to)
        return isinstance(target, Type) and "enum" in (target.resolved() or {})

    def _calculation(self, text: str) -> list[JsonValue]:
        """Numbers and signs: every number was said or is referred to."""
        pieces: list[JsonValue] = []
        end = 0
        for found in _NUMBER.finditer(text):
            if found.start() > end:
                pieces.append({"lit": text[end : found.start()]})
            pieces.append(self._figure(found.group()))
            end = found.end()
        return [*pieces, {"lit": text[end:]}] if end < len(text) else pieces

    def _figure(self, text: str) -> JsonValue:
        number = float(text)
        if self._draft.told.literally(number):
            return {"lit": text}
        whole = int(number) if number.is_integer() else number
        ref = reach_value(self._draft, whole, frozenset()) if str(whole) == text else None
        if ref is None:
            raise NoSource("a calculation with a number from nowhere")
        return {"ref": ref}


def _names(to: tuple[str, ...]) -> frozenset[str]:
    """What the member may be called that goes into an argument: `file_id` is an `id_`."""
    name = _name(to)
    return frozenset({name, "id", "id_"} if name.endswith("id") else {name})


def _name(to: tuple[str, ...]) -> str:
    return next((token for token in reversed(to) if not token.isdigit()), "")


def _reason(kind: str, name: str) -> str:
    match kind:
        case "ref" | "ref-select":
            return f"no grounded condition singles out {name}"
        case "text":
            return "needs extract"
        case _:
            return f"{name} is neither said nor read"
