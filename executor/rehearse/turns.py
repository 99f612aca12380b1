"""How a branch may be made to go the other way: scripts to try, which may or may not do it.

A condition names references; each leads to places in answers (`origins.py`), where other values
are wished for (`nearby.py`, or what the schema lists there). A wish that the schema does not allow
makes the answer `Unfakeable`, and that script is dropped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.check.strict_json import read_json
from executor.plan.model import Arg, Cond, JsonArg, ListCond, RefArg, RefCond, Step, ValueArg
from executor.plan.refs import split_pointer
from executor.plan.types import Type, constants_of, likely_kinds
from executor.rehearse.answers import Script
from executor.rehearse.branches import Outcome
from executor.rehearse.fake import Mark, Wish, type_at
from executor.rehearse.nearby import fitting, mirrored
from executor.rehearse.origins import ELEMENT, Origin, Origins
from executor.rehearse.promised import promised
from executor.run.resolve import Absent, Scope, value_at

MOST_WISHES = 6  # values to try at one place
MOST_ITEMS = 20  # elements that a count may ask for
SIZES = (20, 200, 2_000, 20_000, 1_000_000, 0)  # numbers and amounts that policy may think much of
Wished = tuple[tuple[Origin, Wish], ...]


@dataclass(frozen=True)
class Turns:
    """The turns of one plan."""

    accepted: Accepted
    size: int

    def of(self, outcome: Outcome, script: Script) -> Iterator[Script]:
        """Scripts that may make a branch go the other way than it went."""
        step, wanted = self._steps[outcome.branch.step], not outcome.value
        match outcome.branch.kind:
            case "each":
                yield from self._of_list(step.each or "", step, wanted, script)
            case "found":
                yield from self._of_search(step, wanted, outcome.scope, script)
            case "asks":
                yield from self._by_size(step, script)
            case kind:
                conds = step.when if kind == "when" else step.expect
                cond = conds[outcome.branch.index]
                for wished in self._of_cond(cond, step, wanted, outcome.scope):
                    yield script.wishing(*wished)
                yield from self._by_counting(cond, step, script)

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.id: step for step in self.accepted.plan.steps}

    @cached_property
    def _promised(self) -> Mapping[str, JsonObject]:
        return promised(self.accepted)

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._steps)

    def _of_list(self, ref: str, at: Step, wanted: bool, script: Script) -> Iterator[Script]:
        """A list is filled or empty as the answers are that it comes from."""
        origins = self._origins.of_length(ref, at)
        for step in dict.fromkeys(each.step for each in origins):
            for size in (max(1, self.size), 1) if wanted else (0,):
                yield script.sized(step, size)
        for origin in origins:
            yield script.wishing((origin, Mark.PRESENT if wanted else []))
        source = self._steps.get(ref)
        if source is not None and source.action == "fn.filter":
            scope = Scope(self.accepted.inputs.values, {})
            yield from self._of_search(source, wanted, scope, script)

    def _of_search(
        self, step: Step, wanted: bool, scope: Scope, script: Script
    ) -> Iterator[Script]:
        """The first element fits every clause, or none does."""
        args = {arg.to: arg for arg in step.args}
        whole = args.get("list") or args.get("map")
        if not isinstance(whole, RefArg):
            return
        if step.action == "fn.lookup":
            key = _constant(args.get("key"), scope)
            for origin in self._origins.of(whole.ref, step):
                if isinstance(key, str):
                    place = Origin(origin.step, (*origin.path, key))
                    yield script.wishing((place, Mark.PRESENT if wanted else Mark.ABSENT))
        clauses = [*_clauses(step, args, scope)]
        if clauses and step.action in ("fn.select", "fn.filter"):
            yield from self._by_clauses(step, whole.ref, clauses, wanted, script)
        yield from self._of_list(whole.ref, step, wanted, script)

    def _by_clauses(
        self,
        step: Step,
        ref: str,
        clauses: list[tuple[str, str, JsonValue]],
        wanted: bool,
        script: Script,
    ) -> Iterator[Script]:
        for number in range(MOST_WISHES):
            wishes: list[tuple[Origin, Wish]] = []
            for field, op, value in clauses if wanted else clauses[:1]:
                tokens = (ELEMENT if each == "*" else each for each in split_pointer(field))
                for origin in self._origins.of(ref, step):
                    place = Origin(origin.step, (*origin.path, ELEMENT, *tokens))
                    tries = [*self._wishes(op, value, wanted, place)]
                    if tries:
                        wishes.append((place, tries[number % len(tries)]))
            if wishes:
                yield script.wishing(*wishes)
                for step_id in dict.fromkeys(place.step for place, _ in wishes):
                    yield script.sized(step_id, 1).wishing(*wishes)

    def _of_cond(self, cond: Cond, at: Step, wanted: bool, scope: Scope) -> Iterator[Wished]:
        match cond:
            case RefCond(lhs=lhs, op=op, rhs=rhs):
                yield from self._sides(lhs, op, value_at(scope, rhs), at, wanted)
                yield from self._sides(rhs, mirrored(op), value_at(scope, lhs), at, wanted)
            case ListCond(subject=subject, list_of=values):
                yield from self._sides(subject, "in", [*values], at, wanted)
            case _:
                yield from self._sides(cond.left, cond.op, cond.value, at, wanted)

    def _sides(
        self, ref: str, op: str, value: JsonValue | Absent, at: Step, wanted: bool
    ) -> Iterator[Wished]:
        if isinstance(value, Absent):
            return
        for origin in self._origins.of(ref, at):
            yield from (((origin, wish),) for wish in self._wishes(op, value, wanted, origin))

    def _wishes(self, op: str, value: JsonValue, wanted: bool, origin: Origin) -> Iterator[Wish]:
        if op == "exists":
            yield Mark.PRESENT if (value is True) is wanted else Mark.ABSENT
            return
        listed: list[JsonValue] = []
        if (schema := self._promised.get(origin.step)) is not None:
            found = type_at(schema, origin.path)
            listed = _listed(found) if found is not None else []
        for number, each in enumerate(fitting(op, value, wanted, listed)):
            if number >= MOST_WISHES:
                return
            yield each

    def _by_size(self, step: Step, script: Script) -> Iterator[Script]:
        """Other amounts and numbers in what a call takes from answers."""
        places = [
            place
            for arg in step.args
            if isinstance(arg, RefArg)
            for origin in self._origins.of(arg.ref, step)
            for place in self._numbers_at(origin)
        ]
        for size in SIZES:
            for place, is_text in places:
                yield script.wishing((place, f"{size}.00" if is_text else size))

    def _numbers_at(self, origin: Origin) -> Iterator[tuple[Origin, bool]]:
        """Where a number stands, or an amount as a text."""
        if (schema := self._promised.get(origin.step)) is None:
            return
        found = type_at(schema, origin.path)
        known = likely_kinds(found) or frozenset() if found is not None else frozenset()
        inside = Origin(origin.step, (*origin.path, "amount"))
        if "object" in known and type_at(schema, inside.path) is not None:
            yield inside, True
        elif known & {"number", "integer"}:
            yield origin, False
        elif "string" in known and origin.path[-1:] == ("amount",):
            yield origin, True

    def _by_counting(self, cond: Cond, at: Step, script: Script) -> Iterator[Script]:
        """Other lengths of the lists that a number in a condition may have been counted from."""
        numbers = {0, 1, 2}
        values = cond.list_of if isinstance(cond, ListCond) else (getattr(cond, "value", None),)
        for value in values:
            if isinstance(value, int | float) and 0 <= value <= MOST_ITEMS:
                numbers |= {max(0, int(value) - 1), int(value), int(value) + 1}
        for ref in refs_of_cond(cond):
            source = self._steps.get(ref.partition("/")[0])
            if source is None or source.action not in ("fn.count", "fn.sum"):
                continue
            origins = [origin for arg in source.args if isinstance(arg, RefArg)
                       for origin in self._origins.of(arg.ref, source)]  # fmt: skip
            for step in dict.fromkeys(each.step for each in origins):
                yield from (script.sized(step, number) for number in sorted(numbers))


def _listed(found: Type) -> list[JsonValue]:
    """What a schema lists: its constants, and both truth values."""
    node = found.keywords
    listed = constants_of(node)
    if listed is None and node.get("type") == "boolean":
        return [True, False]
    return listed or []


def _clauses(
    step: Step, args: dict[str, Arg], scope: Scope
) -> Iterator[tuple[str, str, JsonValue]]:
    """The clauses of a `where`, as far as they can be read: bound part by part, or as JSON."""
    whole = args.get("where")
    if isinstance(whole, JsonArg):
        found = read_json(whole.json_text)
        for each in found if isinstance(found, list) else []:
            match each:
                case {"field": str(field), "op": str(op), "value": value}:
                    yield field, op, value
    for place in args:
        head, _, part = place.rpartition("/")
        if head.startswith("where/") and part == "field":
            name, sign = _constant(args[place], scope), _constant(args.get(f"{head}/op"), scope)
            than = _constant(args.get(f"{head}/value"), scope)
            if isinstance(name, str) and isinstance(sign, str) and not isinstance(than, Absent):
                yield name, sign, than


def _constant(arg: Arg | None, scope: Scope) -> JsonValue | Absent:
    match arg:
        case ValueArg(value=value):
            return value
        case RefArg(ref=ref):
            return value_at(scope, ref)
        case JsonArg(json_text=text):
            return read_json(text)
        case _:
            return Absent()


def refs_of_cond(cond: Cond) -> tuple[str, ...]:
    """The references of a condition."""
    match cond:
        case RefCond(lhs=lhs, rhs=rhs):
            return lhs, rhs
        case ListCond(subject=subject):
            return (subject,)
        case _:
            return (cond.left,)
