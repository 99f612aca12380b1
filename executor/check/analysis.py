"""A plan beside its catalogue: types along the data flow, computed once for all rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check.strict_json import Flaw, read_json
from executor.fn import FUNCTIONS
from executor.plan.graph import Graph, graph, order
from executor.plan.model import Arg, JsonArg, Plan, RefArg, Step, TextArg, ValueArg
from executor.plan.refs import Ref, parse_ref, split_pointer
from executor.plan.types import MISSING, UNKNOWN, Found, Type, descend, items_of, kinds

DATE: JsonObject = {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Binding:
    """One argument of one step: where it goes, what may go there, and what comes."""

    step: Step
    place: int
    index: int
    arg: Arg
    to: tuple[str, ...]
    target: Found
    source: Found

    @property
    def at(self) -> str:
        """The argument's place below the plan's `/steps/<n>`."""
        return f"/args/{self.index}"


class Analysis:
    """Everything that the rules ask about a plan."""

    def __init__(self, plan: Plan, catalog: Catalog, inputs_schema: JsonObject) -> None:
        self.plan = plan
        self.catalog = catalog
        self.by_id: Mapping[str, Step] = {step.id: step for step in reversed(plan.steps)}
        self.place: Mapping[str, int] = {
            step.id: index for index, step in reversed(list(enumerate(plan.steps)))
        }
        self._inputs = Type.of(with_today(inputs_schema))
        self._results: dict[str, Type] = {}
        for step_id in order(self.graph):
            self._results[step_id] = self._result_type(self.by_id[step_id])

    @cached_property
    def graph(self) -> Graph:
        """Which step waits for which."""
        return graph(self.plan)

    def action(self, step: Step) -> ActionSpec | None:
        """The step's action, an `fn.*` function among them; None where nobody knows it."""
        if step.action in FUNCTIONS:
            return FUNCTIONS[step.action].as_action()
        return None if step.action.startswith("fn.") else self.catalog.get(step.action)

    def has_root(self, step: Step | None, ref: Ref, role: str) -> bool:
        """Whether the reference's root may stand here."""
        match ref.root:
            case "input":
                return True
            case "each":
                return step is not None and step.each is not None and role != "each"
            case "each_item":
                source = self._each_source(step)
                return role != "each" and source is not None and source.each is not None
            case "result":
                return role == "expect"
            case _:
                return ref.root in self.by_id

    def type_of(self, step: Step | None, ref: Ref) -> Found:
        """The type at a reference; `UNKNOWN` where the root itself is in question."""
        return descend(self._root_type(step, ref.root), ref.tokens)

    def item_type(self, step: Step) -> Type:
        """The type of one element of the step's `each`, nulls passed over."""
        found = self.type_of(step, parse_ref(step.each or ""))
        items = items_of(found) if isinstance(found, Type) else UNKNOWN
        source = self._each_source(step)
        if source is not None and source.each is not None:
            node = items.resolved() or {}
            arms = node.get("anyOf")
            if isinstance(arms, list) and arms[1:] == [{"type": "null"}]:
                return items.below(arms[0])
        return items

    def bindings(self, step: Step) -> Iterator[Binding]:
        """Each argument with both its types."""
        action = self.action(step)
        into = Type.of(action.input_schema) if action else UNKNOWN
        place = self.plan.steps.index(step)
        for index, arg in enumerate(step.args):
            to = split_pointer(arg.to)
            yield Binding(
                step, place, index, arg, to, descend(into, to), self.source_type(step, arg)
            )

    def source_type(self, step: Step | None, arg: Arg) -> Found:
        """The type of what an argument brings."""
        match arg:
            case RefArg():
                return self.type_of(step, parse_ref(arg.ref))
            case ValueArg():
                return Type.of({"const": arg.value})
            case TextArg():
                return Type.of({"type": "string"})
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
            source = self._each_source(step)
            return self.item_type(source) if source else UNKNOWN
        if root == "result" and step is not None:
            return self._one_result(step)
        return self._results.get(root, UNKNOWN)

    def _each_source(self, step: Step | None) -> Step | None:
        """The step whose whole result this one iterates over."""
        if step is None or step.each is None:
            return None
        ref = parse_ref(step.each)
        return self.by_id.get(ref.root) if not ref.tokens else None

    def _result_type(self, step: Step) -> Type:
        one = self._one_result(step)
        if step.each is None:
            return one
        item: JsonValue = {"anyOf": [one.node, {"type": "null"}]} if step.when else one.node
        return Type({"type": "array", "items": item}, one.root)

    def _one_result(self, step: Step) -> Type:
        if step.action in FUNCTIONS:
            return FUNCTIONS[step.action].type_of(self._bound_types(step))
        action = self.action(step)
        return Type.of(action.output_schema) if action and action.output_schema else UNKNOWN

    def _bound_types(self, step: Step) -> dict[str, Type]:
        """Types of a function's top-level arguments; parts of an array become `prefixItems`."""
        whole: dict[str, Type] = {}
        parts: dict[str, list[Type]] = {}
        for binding in self.bindings(step):
            if not binding.to or not isinstance(binding.source, Type):
                continue
            if len(binding.to) == 1:
                whole[binding.to[0]] = binding.source
            elif len(binding.to) == 2:
                parts.setdefault(binding.to[0], []).append(binding.source)
        for name, found in parts.items():
            whole.setdefault(name, Type.of({"prefixItems": [each.standalone() for each in found]}))
        return whole


def with_today(schema: JsonObject) -> JsonObject:
    """The inputs' schema with `today`, which is fixed at admission and never asked from a clock."""
    properties = schema.get("properties")
    own: JsonObject = properties if isinstance(properties, dict) else {}
    dated: JsonObject = {"today": DATE}
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    return schema | {
        "type": "object",
        "properties": dated | own,
        "required": [*names, *([] if "today" in names else ["today"])],
    }


def is_list(found: Found) -> bool | None:
    """Whether it is an array: yes, no, or None where the schema does not say."""
    if found is MISSING or not isinstance(found, Type):
        return False
    names = kinds(found)
    if names is None:
        return None
    return True if names == {"array"} else (None if "array" in names else False)
