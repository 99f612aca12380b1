"""A plan beside its catalogue: types along the data flow, computed once for all rules."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check.binding import Binding, built, constant_of
from executor.check.compared import Compared
from executor.check.entry import declared_input, input_type, output_type, target_at
from executor.check.flow import Flow, every
from executor.check.strict_json import Flaw, read_json
from executor.check.taken import function_of
from executor.check.today import with_today
from executor.fn import FUNCTIONS
from executor.fn.extract import EXTRACT, UnboundedError, require_bounds
from executor.plan.assemble import assemble
from executor.plan.compose import is_small
from executor.plan.graph import Graph, order, waits
from executor.plan.model import Arg, JsonArg, Lit, Plan, RefArg, Step, TextArg, ValueArg
from executor.plan.refs import OWN_ROOTS, Ref, Use, parse_ref, refs_of_plan, split_pointer
from executor.plan.scopes import in_one_scope
from executor.plan.types import (
    UNKNOWN,
    Found,
    Type,
    as_object,
    child,
    descend,
    items_of,
)

_PLAIN = frozenset({"type", "properties", "required", "additionalProperties", "title",
                    "description", "$schema", "$id", "$defs"})  # fmt: skip
_TEXT = Type.of({"type": "string"})
TYPED = "fn.typed"


class Analysis:
    """Everything that the rules ask about a plan."""

    def __init__(
        self,
        plan: Plan,
        catalog: Catalog,
        inputs_schema: JsonObject,
        like: "Analysis | None" = None,
    ) -> None:
        self.plan = plan
        self.catalog = catalog
        self._is_told = like is None  # whether the plan's own schemas say what its values are
        self._inputs_schema = inputs_schema
        self.by_id: Mapping[str, Step] = {step.id: step for step in reversed(plan.steps)}
        self.place: Mapping[str, int] = {
            step.id: index for index, step in reversed(list(enumerate(plan.steps)))
        }
        self._places = {id(step): index for index, step in enumerate(plan.steps)}
        self._actions: Mapping[int, ActionSpec | None] = (
            {id(step): _action(step, catalog) for step in plan.steps}
            if like is None
            else like._actions
        )
        self._inputs = Type.of(in_one_scope(with_today(inputs_schema)))
        self._flows: dict[tuple[int, int], Flow] = {}
        self.types: Compared = Compared() if like is None else like.types
        self._bindings: dict[int, tuple[Binding, ...]] = {}  # by the step's `id`
        self._results: dict[str, Type] = {}
        for step_id in self.order:
            self._results[step_id] = self._result_type(self.by_id[step_id])
        if len(self.order) < len(self.by_id):
            self._look_at_circles()

    @cached_property
    def declared(self) -> "Analysis":
        """The types that others declare: whoever writes a plan offers nothing by its schemas."""
        if not any(step.action == TYPED for step in self.plan.steps):
            return self
        return Analysis(self.plan, self.catalog, self._inputs_schema, self)

    @cached_property
    def graph(self) -> Graph:
        """Which step waits for which."""
        return waits(self.plan, self.sources)

    @cached_property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """The roots that each step refers to."""
        found: dict[str, set[str]] = {step.id: set() for step in self.plan.steps}
        for step, use in self.refs:
            if step is not None:
                found[step.id].add(use.ref.root)
        return {name: frozenset(roots) for name, roots in found.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The steps in an order in which they can run, without those on a circle."""
        return order(self.graph)

    @cached_property
    def refs(self) -> tuple[tuple[Step | None, Use], ...]:
        """Every reference of the plan with its step; the answer's come last, with none."""
        return tuple(refs_of_plan(self.plan))

    def action(self, step: Step) -> ActionSpec | None:
        """The step's action, an `fn.*` function among them; None where nobody knows it."""
        return self._actions[id(step)]

    def has_root(self, step: Step | None, ref: Ref, role: str) -> bool:
        """Whether the reference's root may stand here."""
        match ref.root:
            case "input":
                return True
            case "each":
                return step is not None and step.each is not None and role != "each"
            case "each_item":
                source = self.each_source(step)
                return role != "each" and source is not None and source.each is not None
            case "result":
                return role == "expect"
            case _:
                return ref.root in self.by_id

    def type_of(self, step: Step | None, ref: Ref) -> Found:
        """The type at a reference; `UNKNOWN` where the root itself is in question."""
        return self.types.descend(self._root_type(step, ref.root), ref.tokens)

    def item_type(self, step: Step) -> Type:
        """The type of one element of the step's `each`, nulls passed over."""
        ref = parse_ref(step.each or "")
        if ref.root in OWN_ROOTS:
            return UNKNOWN  # refused: nothing can be gone through by its own items
        found = self.type_of(step, ref)
        items = items_of(found) if isinstance(found, Type) else UNKNOWN
        source = self.each_source(step)
        arms = items.keywords.get("anyOf")
        if source is not None and source.each is not None and isinstance(arms, list):
            return items.below(arms[0]) if arms[1:] == [{"type": "null"}] else items
        return items

    def bindings(self, step: Step) -> tuple[Binding, ...]:
        """Each argument with both its types."""
        found = self._bindings.get(id(step))
        if found is None:
            found = self._bindings[id(step)] = tuple(self._bound(step))
        return found

    def _bound(self, step: Step) -> Iterator[Binding]:
        action, place = self.action(step), self._places[id(step)]
        for index, arg in enumerate(step.args):
            to = split_pointer(arg.to)
            target = target_at(action, to) if action else descend(UNKNOWN, to)
            source = self.source_type(step, arg)
            yield Binding(step, place, index, arg, to, target, source, constant_of(arg, source))

    def flow(self, binding: Binding) -> Flow:
        """Whether what comes fits where it goes; unknown where either is in question."""
        key = (binding.place, binding.index)
        if key not in self._flows:
            match binding:
                case Binding(source=Type() as source, target=Type() as target):
                    self._flows[key] = self.types.flow(source, target)
                case _:
                    self._flows[key] = Flow.UNKNOWN
        return self._flows[key]

    def whole_flow(self, step: Step) -> Flow:
        """Whether the step's arguments together fit the action; what is bound is there."""
        action = self.action(step)
        key = (self._places[id(step)], -1)
        if key not in self._flows:
            into = input_type(action) if action else UNKNOWN
            found = self.member_by_member(step, into)
            self._flows[key] = found or self.types.flow(self.as_a_whole(step, into), into)
        return self._flows[key]

    def member_by_member(self, step: Step, into: Type) -> Flow | None:
        """The same for a plain object of which members are bound; None for any other."""
        node, bindings = into.keywords, self.bindings(step)
        properties, required = node.get("properties"), node.get("required")
        if not node.keys() <= _PLAIN or node.get("type") != "object":
            return None
        names = {each.to[0] for each in bindings if len(each.to) == 1}
        if len(names) != len(bindings) or not isinstance(properties, dict):
            return None
        if not names <= properties.keys():
            return None
        ends = (end for each in bindings for end in (each.source, each.target))
        if not all(isinstance(end, Type) for end in ends):
            return None
        needed = required if isinstance(required, list) else []
        has_all = Flow.YES if all(name in names for name in needed) else Flow.NO
        return every([has_all, *(self.flow(each) for each in bindings)])

    def as_a_whole(self, step: Step, into: Type) -> Type:
        """The type of the step's argument object."""
        return built(self.bindings(step), 0, into)

    def source_type(self, step: Step | None, arg: Arg) -> Found:
        """The type of what an argument brings."""
        match arg:
            case RefArg():
                ref = parse_ref(arg.ref)
                # Refused elsewhere: a step's result is no argument of its own.
                return UNKNOWN if ref.root == "result" else self.type_of(step, ref)
            case ValueArg():
                return Type.of({"const": arg.value})
            case TextArg(text=pieces):
                said = [each.lit for each in pieces if isinstance(each, Lit)]
                return Type.of({"const": "".join(said)}) if len(said) == len(pieces) else _TEXT
            case JsonArg():
                try:
                    return Type.of({"const": read_json(arg.json_text)})
                except Flaw:
                    return UNKNOWN

    def _root_type(self, step: Step | None, root: str) -> Type:
        if root == "input":
            return self._inputs
        if root == "each" and step is not None:
            return self.item_type(step)
        if root == "each_item":
            source = self.each_source(step)
            return self.item_type(source) if source else UNKNOWN
        if root == "result" and step is not None:
            return self._one_result(step)
        return self._results.get(root, UNKNOWN)

    def each_source(self, step: Step | None) -> Step | None:
        """The step whose whole result this one iterates over."""
        if step is None or step.each is None:
            return None
        ref = parse_ref(step.each)
        return self.by_id.get(ref.root) if not ref.tokens else None

    def _look_at_circles(self) -> None:
        """What waits for itself never runs; what its action declares is known all the same."""
        left = [step for step in self.by_id.values() if step.id not in self._results]
        ready = [step for step in left if step.each is None and not step.action.startswith("fn.")]
        while ready:
            for step in ready:
                self._results[step.id] = self._result_type(step)
            left = [step for step in left if step.id not in self._results]
            known = self._results.keys()
            ready = [step for step in left if self.sources[step.id] & self.by_id.keys() <= known]

    def _result_type(self, step: Step) -> Type:
        one = self._one_result(step)
        if step.each is None:
            return one
        null: JsonObject = {"type": "null"}
        item: JsonValue = {"anyOf": [one.node, null]} if self._may_skip(step) else one.node
        found = Type({"type": "array", "items": item}, one.root)
        return found if is_small(found) else UNKNOWN

    def _may_skip(self, step: Step) -> bool:
        """Whether items of an each-step may be null, skipped here or passed over from before."""
        source = self.each_source(step)
        before = source is not None and source.each is not None and source is not step
        return bool(step.when) or (before and source is not None and self._may_skip(source))

    def _one_result(self, step: Step) -> Type:
        if step.action in FUNCTIONS:
            types = self.bound_types(step)
            if step.action == TYPED and not self._is_told:
                return types.get("value", UNKNOWN)
            found = FUNCTIONS[step.action].type_of(types)
            return found if is_small(found) else UNKNOWN
        action = self.action(step)
        if action is not None and step.action == EXTRACT:
            return self._extracted(step)
        return output_type(action) if action else UNKNOWN

    def _extracted(self, step: Step) -> Type:
        """What a model is to read: the constant schema says it."""
        for schema in self.extract_schema(step) or ():
            with suppress(UnboundedError):  # refused elsewhere
                require_bounds(schema)
                return Type.of(as_object(schema))
        return UNKNOWN

    def extract_schema(self, step: Step) -> list[JsonValue] | None:
        """The schema of an `fn.extract`, alone in a list; None where it is no constant."""
        places = [each for each in self.bindings(step) if each.to[:1] == ("schema",)]
        if not places or not all(each.constant for each in places):
            return None
        return [assemble([(each.to[1:], each.constant[0]) for each in places], None)]

    def bound_types(self, step: Step) -> dict[str, Type]:
        """The types of a function's top-level arguments."""
        inside: dict[str, list[Binding]] = {}
        for each in self.bindings(step):
            if each.to:
                inside.setdefault(each.to[0], []).append(each)
        action = self.action(step)
        into = declared_input(action) if action else UNKNOWN
        return {name: _bound(into, name, own) for name, own in inside.items()}

    def bound_type(self, step: Step, name: str) -> Type:
        """The type of one of them; unknown where it is not bound."""
        own = [each for each in self.bindings(step) if each.to[:1] == (name,)]
        action = self.action(step)
        return _bound(declared_input(action) if action else UNKNOWN, name, own) if own else UNKNOWN


def _bound(into: Type, name: str, bindings: Sequence[Binding]) -> Type:
    below = child(into, name)
    return built(bindings, 1, below if isinstance(below, Type) else UNKNOWN)


def _action(step: Step, catalog: Catalog) -> ActionSpec | None:
    if step.action in FUNCTIONS:
        return function_of(step)
    is_ours = step.action.startswith("fn.") and step.action != EXTRACT
    return None if is_ours else catalog.get(step.action)
