"""All that is wrong with one plan beside its actions."""

import itertools
from typing import Any

from benchmarks.admission.oracle.examples import can_be, fits, loose
from benchmarks.admission.oracle.functions import is_pattern, scales
from benchmarks.admission.oracle.schemas import (
    OPEN,
    Node,
    at,
    below,
    index_of,
    is_list,
    items,
    kinds_of,
    put,
    reach,
)
from benchmarks.admission.oracle.text import (
    ORDER,
    FlawedError,
    opened,
    read_json,
    refs_in,
    refs_of_arg,
    split,
)
from benchmarks.admission.oracle.types import Types

RESERVED = {"input", "each", "each_item", "result", "fn"}
PRINTABLE: Node = {"type": ["string", "number", "boolean"]}


class Reading:
    """One plan beside its actions; `codes` is all that is wrong with it."""

    def __init__(
        self, plan: Any, actions: dict[str, tuple[Node, Node | None]], inputs: Node
    ) -> None:
        self.plan = plan
        self.types = Types(plan, actions, inputs)
        self.found = {"cycle"} if self.types.has_circle else set[str]()

    def codes(self) -> set[str]:
        """Every code that the plan deserves."""
        ids = [step["id"] for step in self.types.steps]
        is_part = any(each.startswith(f"{other}.") for each in ids for other in ids)
        if len(set(ids)) < len(ids) or RESERVED & set(ids) or is_part:
            self.found.add("duplicate-id")
        for step in self.types.steps:
            self._look_at(step)
        for arg in self.plan.get("answer", []):
            self._refs_of(arg, None)
            self._readable(arg)
        self._places([split(arg["to"]) for arg in self.plan.get("answer", [])], None)
        return self.found

    def _look_at(self, step: Any) -> None:
        action = self.types.action(step)
        for ref, role in refs_in(step):
            self._ref(ref, step, role)
        if any(name not in self.types.first for name in step.get("after", [])):
            self.found.add("unknown-step")
        if step.get("each") is not None and self.types.has_root(step["each"], step, "each"):
            source = self.types.of(step["each"], step)
            names = kinds_of(source) if source is not None else None
            if names is not None and "array" not in names:
                self.found.add("not-a-list")
        for arg in step.get("args", []):
            self._readable(arg)
            self._printable(arg, step)
        for cond in [*step.get("when", []), *step.get("expect", [])]:
            self._condition(cond, step)
        if action is None:
            self.found.add("unknown-action")
            self._overlaps([split(arg["to"]) for arg in step.get("args", [])])
        else:
            self._arguments(step, action[0])
        if step["action"].startswith("fn."):
            self._fields(step)

    def _refs_of(self, arg: Any, step: Any) -> None:
        for ref in refs_of_arg(arg):
            self._ref(ref, step, "arg")
        self._printable(arg, step)

    def _ref(self, ref: str, step: Any, role: str) -> None:
        if not self.types.has_root(ref, step, role):
            self.found.add("unknown-step")
        elif self.types.of(ref, step) is None:
            self.found.add("unknown-path")

    def _readable(self, arg: Any) -> None:
        if "json" in arg:
            try:
                read_json(arg["json"])
            except FlawedError as flaw:
                self.found.add(str(flaw))

    def _printable(self, arg: Any, step: Any) -> None:
        for piece in arg.get("text", []):
            if "ref" in piece and self.types.has_root(piece["ref"], step, "arg"):
                found = self.types.of(piece["ref"], step)
                if found is not None and not can_be(found, PRINTABLE):
                    self.found.add("type-mismatch")

    def _arguments(self, step: Any, into: Node) -> None:
        before = set(self.found)
        self.found = set()
        into = {"type": "object"} | into  # there is always an object of arguments
        args = step.get("args", [])
        places = [split(arg["to"]) for arg in args]
        self._places(places, into)
        witnesses: list[list[Any]] = []
        for arg, place in zip(args, places, strict=True):
            self._readable(arg)
            target = at(into, place)
            if target is None:
                self.found.add("unknown-argument")
                continue
            source = self.types.source_of(arg, step)
            both = can_be(source, target)
            witnesses.append(both)
            if not both:
                wants_list = step["action"].startswith("fn.") and is_list(target)
                self.found.add(
                    "not-a-list" if wants_list and not is_list(source) else "type-mismatch"
                )
        if not self.found and not self._fits_together(places, witnesses, into):
            self.found.add("type-mismatch")
        self.found |= before

    def _fits_together(
        self, places: list[list[str]], witnesses: list[list[Any]], into: Node
    ) -> bool:
        """Whether some of the examples make an argument object that is valid as a whole."""
        into = loose(into)
        for number in range(max([1, *map(len, witnesses)])):
            whole: Any = {}
            for place, both in zip(places, witnesses, strict=True):
                whole = put(whole, place, both[number % len(both)], into)
            if fits(whole, into):
                return True
        return False

    def _places(self, places: list[list[str]], into: Node | None) -> None:
        self._overlaps(places)
        if [] in places:
            return
        tree: dict[str, Any] = {}
        for place in places:
            here = tree
            for token in place:
                here = here.setdefault(token, {})
        self._tree(tree, into, is_top=True)

    def _overlaps(self, places: list[list[str]]) -> None:
        for one, other in itertools.combinations(places, 2):
            shorter = min(len(one), len(other))
            if one[:shorter] == other[:shorter]:
                self.found.add("overlapping-argument")

    def _tree(self, tree: dict[str, Any], node: Node | None, *, is_top: bool) -> None:
        if not tree and not is_top:
            return
        numbered = bool(tree) and all(index_of(token) is not None for token in tree)
        gaps = {*tree} != {str(number) for number in range(len(tree))}
        if numbered and gaps and (node is None or is_list(node)):
            self.found.add("sparse-array")
        if node is not None and not is_list(node) and "object" in (kinds_of(node) or {"object"}):
            if any(name not in tree for name in node.get("required", [])):
                self.found.add("missing-argument")
        for token, inner in tree.items():
            inside = None if node is None else below(node, token)
            if inside is not None or node is None:
                self._tree(inner, inside, is_top=False)

    def _condition(self, cond: Any, step: Any) -> None:
        op = cond["op"]
        if op == "in":
            return
        left = self.types.of(cond.get("left", cond.get("lhs")), step)
        if "rhs" in cond:
            if op in ("exists", "matches"):
                self.found.add("not-comparable")
                return
            right = self.types.of(cond["rhs"], step)
        else:
            right = {"const": cond["value"]}
        self._clause(op, left, right, needs_text=True)

    def _clause(self, op: str, left: Node | None, right: Node | None, *, needs_text: bool) -> None:
        constant = right.get("const") if right and "const" in right else OPEN
        if op == "exists" and constant is not OPEN and not isinstance(constant, bool):
            self.found.add("not-comparable")
        elif op == "matches" and constant is not OPEN:
            names = kinds_of(left) if left is not None else None
            no_text = needs_text and names is not None and "string" not in names
            if not is_pattern(constant) or no_text:
                self.found.add("not-comparable")
        elif op in ORDER and left is not None and right is not None:
            have, want = scales(left), scales(right)
            if have is not None and want is not None and not have & want:
                self.found.add("not-comparable")

    def _fields(self, step: Any) -> None:
        """Paths and clauses that a function is given as data."""
        args: dict[tuple[str, ...], Any] = {}
        for arg in step.get("args", []):
            args |= opened(tuple(split(arg["to"])), arg)
        listed = self.types.source_of(args[("list",)], step) if ("list",) in args else None
        mapped = self.types.source_of(args[("map",)], step) if ("map",) in args else None
        for place, arg in args.items():
            value = arg.get("value")
            match place:
                case ("where", _, "field") | ("by",) | ("field",) | ("fields", _):
                    if isinstance(value, str) and listed is not None:
                        self._field(listed, value)
                case ("key",):
                    if isinstance(value, str) and mapped is not None:
                        if below(mapped, value) is None:
                            self.found.add("unknown-path")
                case _:
                    pass
        for number in {place[1] for place in args if len(place) == 3 and place[0] == "where"}:
            parts = [args.get(("where", number, name)) for name in ("field", "op", "value")]
            if all(parts):
                field, op, value = (part or {} for part in parts)
                path = field.get("value")
                is_known = listed is not None and isinstance(path, str)
                left = reach(items(listed or OPEN), path) if is_known else None
                right = self.types.source_of(value, step)
                self._clause(str(op.get("value")), left, right, needs_text=False)

    def _field(self, listed: Node, path: str) -> None:
        if reach(items(listed), path) is None:
            self.found.add("unknown-path")
