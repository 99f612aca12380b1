"""A plan in the making: steps with their recorded results, and how to refer into them.

`reach` writes the steps that lead to a place in a recorded result. Members of records are
plain references. Where the path goes through a list or a map keyed by data, the element has to
be told apart by what is known beforehand (`choices.py`), else there is no reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.admission.choices import (
    Anchor,
    Choice,
    Clause,
    Known,
    choose,
    choose_some,
    is_identifier,
    narrowed,
)
from benchmarks.admission.places import (
    Path,
    Place,
    is_title,
    lists_of,
    members_of,
    numbers_of,
    places_of,
    schema_at,
    subsequence,
)
from benchmarks.admission.shapes import below, is_map
from benchmarks.admission.told import Told
from connectors.spec import ActionSpec, JsonObject
from executor.plan.refs import join_pointer, split_pointer

MOST_TRIES = 40
KEY = "{key}"  # in a path: not the member but its key, which comes next


@dataclass(frozen=True)
class Result:
    """What a step gave when it was recorded, and the schema of that."""

    value: JsonValue
    schema: JsonObject
    is_call: bool


class Draft:
    """Steps and their results, in order."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.action = Told("", "")  # the name of the action that is being bound
        self.extracts: str | None = None  # the action by which a model reads a text, if any
        self.own: Mapping[str, Mapping[str, str | bool]] = {}  # of each read its `own_where`
        self.steps: list[JsonObject] = []
        self.results: dict[str, Result] = {}
        self._chosen: dict[tuple[str, str], str] = {}
        self._made: dict[tuple[str, Place], str] = {}
        self._offered: list[tuple[str, list[JsonObject], Result]] = []

    def saved(self) -> "Saved":
        """How the plan stands, for `restore`."""
        return (list(self.steps), dict(self.results), dict(self._chosen), dict(self._made))

    def restore(self, saved: "Saved") -> None:
        """Take back what was added since."""
        self.steps, self.results, self._chosen, self._made = (
            list(saved[0]), dict(saved[1]), dict(saved[2]), dict(saved[3])
        )  # fmt: skip

    def offer(
        self, action: str, args: list[JsonObject], value: JsonValue, schema: JsonObject
    ) -> None:
        """A read to be made where something is found in it."""
        self._offered.append((action, args, Result(value, schema, True)))

    def about(self, action: ActionSpec) -> None:
        """Name the action that is being bound: its name may tell elements apart."""
        self.action = Told(action.name.replace(".", " "), "")

    def lists(self) -> Iterator[Place]:
        """The lists that calls gave, then what offered reads give, each made while looked at."""
        for step, result in [*self.results.items()]:
            if result.is_call and isinstance(result.value, list):
                yield Place(step)
        for action, args, result in self._offered:
            if isinstance(result.value, list):
                before = self.saved()
                yield Place(self.call(action, args, result.value, result.schema))
                self.restore(before)

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

    def reach(self, place: Place) -> str | None:
        """A reference to the place, with the steps it takes; None where there is no way."""
        before = self.saved()
        found = self._walk(place)
        if found is None:
            self.restore(before)
        return found

    def reach_value(self, value: JsonValue, names: frozenset[str]) -> str | None:
        """A reference to any place where the value stands under one of these names.

        An identifier may stand under any name: none is there by coincidence.
        """
        tries = 0
        for step, result in [*self.results.items()]:
            for path in places_of(result.value, value) if result.is_call else ():
                name = next((str(each) for each in reversed(path) if isinstance(each, str)), "")
                if name in names or is_identifier(value) or is_title(value):
                    tries += 1
                    if tries > MOST_TRIES:
                        return None
                    if (found := self.reach(Place(step, path))) is not None:
                        return found
        return self._in_offered(value) if is_identifier(value) or is_title(value) else None

    def numbers(self) -> Iterator[float]:
        """Every number that a call gave but whole ones, which are counts and ids."""
        for result in self.results.values():
            yield from numbers_of(result.value) if result.is_call else ()

    def reach_number(self, value: float) -> str | None:
        """A reference to a place where the number stands."""
        for step, result in [*self.results.items()]:
            for path in places_of(result.value, value) if result.is_call else ():
                if (found := self.reach(Place(step, path))) is not None:
                    return found
        return None

    def _in_offered(self, value: JsonValue) -> str | None:
        for action, args, result in self._offered:
            for path in places_of(result.value, value):
                before = self.saved()
                step = self.call(action, args, result.value, result.schema)
                if (found := self._walk(Place(step, path))) is not None:
                    return found
                self.restore(before)
        return None

    def holds(self, value: JsonValue, names: frozenset[str]) -> bool:
        """Whether a call gave the value under one of these names."""
        return any(
            path and path[-1] in names
            for result in self.results.values()
            if result.is_call
            for path in places_of(result.value, value)
        )

    def whole_list(self, wanted: list[JsonValue]) -> str | None:
        """A reference to a list equal to this one, made of elements of a recorded list."""
        for step, result in [*self.results.items()]:
            for path, found in lists_of(result.value) if result.is_call else ():
                rows = [each for each in found if isinstance(each, dict)]
                if wanted and rows and len(rows) == len(found):
                    if (ref := self._projected(Place(step, path), rows, wanted)) is not None:
                        return ref
        return None

    def some(self, place: Place, kept: list[int]) -> str | None:
        """A reference to the list of these elements of a list."""
        before = self.saved()
        ref = self._walk(place)
        result, elements = self.results[place.step], self._value(place)
        inner = schema_at(result.schema, place.path)
        if ref is not None and isinstance(elements, list):
            choice = choose_some(elements, kept, below(inner, "0"), self._known())
            if choice is not None and not choice.clauses:
                return ref
            if choice is not None:
                args: list[JsonObject] = [{"ref": ref, "to": "list"}, *choice.where()]
                matches: list[JsonValue] = [elements[each] for each in kept]
                return self._once("filter", args, matches, inner)[0]
        self.restore(before)
        return None

    def _value(self, place: Place) -> JsonValue:
        here = self.results[place.step].value
        for token in place.path:
            if isinstance(here, dict):
                here = here[str(token)]
            elif isinstance(here, list):
                here = here[int(token)]
        return here

    def function(self, name: str, args: list[JsonObject], value: JsonValue, schema: JsonObject,
                 **more: JsonValue) -> str:  # fmt: skip
        """Add a step of `fn.*`; gives its id."""
        return self._add(name, f"fn.{name}", args, Result(value, schema, False), more)

    def _projected(
        self, place: Place, rows: list[JsonObject], wanted: list[JsonValue]
    ) -> str | None:
        """All rows of a list, as the members that are wanted of them."""
        first = wanted[0]
        names = [[*first]] if isinstance(first, dict) else [[name] for name in rows[0]]
        for fields in names:
            picked = [{name: row.get(name) for name in fields} for row in rows]
            asked = wanted if isinstance(first, dict) else [{fields[0]: each} for each in wanted]
            kept = subsequence(picked, asked)
            if kept is None or (ref := self.some(place, kept)) is None:
                continue
            if isinstance(first, dict):
                args: list[JsonObject] = [
                    {"value": name, "to": f"fields/{at}"} for at, name in enumerate(fields)
                ]
                return self.function("pick", [{"ref": ref, "to": "list"}, *args], wanted, {})
            args = [{"ref": f"each/{fields[0]}", "to": "options/0"}]
            return self.function("first_of", args, wanted, {}, each=ref)
        return None

    def _add(
        self, stem: str, action: str, args: list[JsonObject], result: Result, more: JsonObject
    ) -> str:
        number = sum(1 for each in self.steps if str(each["id"]).rpartition("_")[0] == stem[:36])
        name = f"{stem[:36]}_{number}"
        self.steps.append({"id": name, "action": action, "args": [*args], **more})
        self.results[name] = result
        return name

    def _walk(self, place: Place) -> str | None:
        result = self.results[place.step]
        ref, value, schema = place.step, result.value, result.schema
        path = list(place.path)
        while path:
            token = path.pop(0)
            if token == KEY and isinstance(value, dict):
                names: list[JsonValue] = [*sorted(value)]
                keys: JsonObject = {"type": "array", "items": {"type": "string"}}
                ref, _, schema = self._once("keys", [{"ref": ref, "to": "map"}], names, keys)
                value, token = names, names.index(path.pop(0))
            if isinstance(value, dict) and is_map(schema):
                entered = self._enter_map(ref, value, schema, str(token), tuple(path))
            elif isinstance(value, list):
                entered = self._enter_list(ref, value, schema, int(token), tuple(path))
            else:
                schema = below(schema, str(token))
                ref = f"{ref}/{join_pointer((str(token),))}"
                value = value[str(token)] if isinstance(value, dict) else None
                continue
            if entered is None:
                return None
            ref, value, schema = entered
        return ref

    def _enter_map(
        self, ref: str, entries: JsonObject, schema: JsonObject, key: str, rest: Path
    ) -> tuple[str, JsonValue, JsonObject] | None:
        inner = below(schema, key)
        given: JsonObject | None = None
        if self.told.literally(key):
            given = {"value": key, "to": "key"}
        elif anchor := next((each for each in self.anchors() if each.value == key), None):
            given = {"ref": anchor.ref, "to": "key"}
        if given is not None:
            args: list[JsonObject] = [{"ref": ref, "to": "map"}, given]
            return self._once("lookup", args, entries[key], inner)
        values: list[JsonValue] = [entries[each] for each in sorted(entries)]
        listed, _, _ = self._once(
            "values", [{"ref": ref, "to": "map"}], values, {"type": "array", "items": inner}
        )
        index = sorted(entries).index(key)
        return self._enter_list(listed, values, {"items": inner}, index, rest)

    def _enter_list(
        self, ref: str, elements: list[JsonValue], schema: JsonObject, index: int, rest: Path
    ) -> tuple[str, JsonValue, JsonObject] | None:
        inner = below(schema, str(index))
        choice = choose(elements, index, rest, inner, self._known())
        own = [*self._own_clauses(ref, elements[index])]
        if choice is None:
            return None
        ref = self._chosen_from(ref, elements, inner, narrowed(choice, own, elements))
        return ref, elements[index], inner

    def _own_clauses(self, ref: str, element: JsonValue) -> Iterator[Clause]:
        """What is the caller's own is chosen with the clause that says so."""
        root, *path = split_pointer(ref)
        action = next(str(each["action"]) for each in self.steps if each["id"] == root)
        for pointer, value in self.own.get(action, {}).items():
            place = split_pointer(pointer)
            clause = Clause(place[len(path) + 1 :], value)
            if place[: len(path) + 1] == (*path, "*") and clause.holds(element):
                yield clause

    def _chosen_from(
        self, ref: str, elements: list[JsonValue], inner: JsonObject, choice: Choice
    ) -> str:
        listed: JsonObject = {"type": "array", "items": inner}
        args: list[JsonObject]
        if choice.by is None and choice.is_one:
            args = [{"ref": ref, "to": "list"}, *choice.where()]
            return self._once("select", args, elements[choice.index], inner)[0]
        if choice.clauses:
            args = [{"ref": ref, "to": "list"}, *choice.where()]
            matches: list[JsonValue] = [elements[each] for each in choice.matches]
            ref = self._once("filter", args, matches, listed)[0]
        if choice.by is None:
            return f"{ref}/0"
        args = [{"ref": ref, "to": "list"}, {"value": choice.by, "to": "by"}]
        name = "max_by" if choice.largest else "min_by"
        return self._once(name, args, elements[choice.index], inner)[0]

    def _once(
        self, name: str, args: list[JsonObject], value: JsonValue, schema: JsonObject
    ) -> tuple[str, JsonValue, JsonObject]:
        """The same question is asked once."""
        key = (name, repr(args))
        if key not in self._chosen:
            self._chosen[key] = self.function(name, args, value, schema)
        return self._chosen[key], value, schema

    def _known(self) -> Known:
        return Known(self.told, self.action, self.anchors())

    def anchors(self) -> list[Anchor]:
        """What can be referred to without choosing: members of records that steps gave."""
        return [
            Anchor(ref, name, value)
            for step, result in self.results.items()
            for ref, name, value in members_of(step, step, result.value, result.schema, self.told)
        ]


Saved = tuple[
    list[JsonObject], dict[str, Result], dict[tuple[str, str], str], dict[tuple[str, Place], str]
]
