"""What stands at every reference of a plan: the types that its steps give, one after the other."""

from typing import Any

from benchmarks.admission.oracle.functions import RESULTS
from benchmarks.admission.oracle.schemas import OPEN, Node, at, built, items
from benchmarks.admission.oracle.text import FlawedError, read_json, refs_in, split


class Types:
    """The types of one plan's steps, as far as the order goes."""

    def __init__(
        self, plan: Any, actions: dict[str, tuple[Node, Node | None]], inputs: Node
    ) -> None:
        self.plan, self.actions = plan, actions
        self.steps: list[Any] = plan.get("steps", [])
        self.first = {step["id"]: step for step in reversed(self.steps)}
        date = {"type": "string", "format": "date"}
        self.inputs = inputs | {
            "type": "object",
            "properties": {"today": date} | inputs.get("properties", {}),
            "required": [*inputs.get("required", []), "today"],
        }
        self.given: dict[str, Node] = {}  # what each step gives, as far as the order goes
        self.has_circle = False
        self._order()

    def _order(self) -> None:
        waits: dict[str, set[str]] = {}
        for step in self.steps:
            roots = {split(ref)[0] if ref else "" for ref, _ in refs_in(step)}
            waits.setdefault(step["id"], set()).update(roots | set(step.get("after", [])))
        placed: list[str] = []
        while True:
            ready = [
                s for s in waits if s not in placed and not (waits[s] & waits.keys()) - {*placed}
            ]
            if not ready:
                break
            placed += ready
        if len(placed) < len(waits):
            self.has_circle = True
        for step_id in placed:
            self.given[step_id] = self._gives(self.first[step_id])
        self._circles()

    def _circles(self) -> None:
        """What steps give that never run, where they need nothing for it that is not known."""
        left = [step for name, step in self.first.items() if name not in self.given]
        declared = [s for s in left if s.get("each") is None and not s["action"].startswith("fn.")]
        while declared:
            self.given |= {step["id"]: self._gives(step) for step in declared}
            left = [step for step in left if step["id"] not in self.given]
            declared = [
                step
                for step in left
                if all(
                    root in self.given or root not in self.first
                    for root in (split(ref)[0] if ref else "" for ref, _ in refs_in(step))
                )
            ]

    def action(self, step: Any) -> tuple[Node, Node | None] | None:
        return self.actions.get(step["action"])

    def has_root(self, ref: str, step: Any, role: str) -> bool:
        root = split(ref)[0] if ref else ""
        if root == "input":
            return True
        if root == "result":
            return role == "expect"
        if root in ("each", "each_item"):
            if step is None or step.get("each") is None or role == "each":
                return False
            source = self._source_step(step)
            return root == "each" or (source is not None and source.get("each") is not None)
        return root in self.first

    def _source_step(self, step: Any) -> Any:
        """The step whose whole result this one goes through."""
        each = step.get("each")
        return self.first.get(each) if each is not None and "/" not in each else None

    def of(self, ref: str, step: Any) -> Node | None:
        root, *tokens = split(ref) or [""]
        if root == "input":
            start = self.inputs
        elif root == "each" and step is not None:
            start = self._item(step)
        elif root == "each_item" and step is not None:
            source = self._source_step(step)
            start = self._item(source) if source else OPEN
        elif root == "result" and step is not None:
            start = self._gives_once(step)
        else:
            start = self.given.get(root, OPEN)
        return at(start, tokens)

    def _item(self, step: Any) -> Node:
        if step.get("each") is None or (step["each"].split("/") or [""])[0] in (
            "each",
            "each_item",
            "result",
        ):
            return OPEN
        found = self.of(step["each"], step)
        inside = items(found) if found is not None else OPEN
        source = self._source_step(step)
        arms = inside.get("anyOf", [])
        if source is not None and source.get("each") is not None and arms[1:] == [{"type": "null"}]:
            return dict(arms[0])
        return inside

    def _gives(self, step: Any) -> Node:
        once = self._gives_once(step)
        if step.get("each") is None:
            return once
        may_skip = self._may_skip(step)
        return {"type": "array", "items": {"anyOf": [once, {"type": "null"}]} if may_skip else once}

    def _may_skip(self, step: Any) -> bool:
        source = self._source_step(step)
        before = source is not None and source is not step and source.get("each") is not None
        return bool(step.get("when")) or (before and self._may_skip(source))

    def _gives_once(self, step: Any) -> Node:
        if step["action"].startswith("fn."):
            name = step["action"][3:]
            return RESULTS[name](self._tops(step)) if step["action"] in self.actions else OPEN
        action = self.action(step)
        return (action[1] or OPEN) if action else OPEN

    def _tops(self, step: Any) -> dict[str, Node]:
        """The types of a function's arguments, put together where they are bound by parts."""
        parts: dict[str, list[tuple[list[str], Node]]] = {}
        for arg in step.get("args", []):
            head, *rest = split(arg["to"]) or [""]
            parts.setdefault(head, []).append((rest, self.source_of(arg, step)))
        into = self.actions[step["action"]][0].get("properties", {})
        return {name: built(each, into.get(name, OPEN)) for name, each in parts.items()}

    def source_of(self, arg: Any, step: Any) -> Node:
        """The type of what an argument brings; open where that is in question."""
        match arg:
            case {"ref": ref}:
                root = (split(ref) or [""])[0]
                return OPEN if root == "result" else self.of(ref, step) or OPEN
            case {"value": value}:
                return {"const": value}
            case {"text": pieces}:
                if any("ref" in each for each in pieces):
                    return {"type": "string"}
                return {"const": "".join(each["lit"] for each in pieces)}
            case _:
                try:
                    return {"const": read_json(arg["json"])}
                except FlawedError:
                    return OPEN
