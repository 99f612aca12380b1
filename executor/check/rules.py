"""The rules of admission over structure and types: each one small function with a sentence.

A rule yields every violation it finds. Rules are independent: all of them run, and a later
one copes with what an earlier one complained about by saying nothing more of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic import JsonValue

from executor.check.analysis import Analysis, Binding, is_list
from executor.check.strict_json import MAX_SAFE_INTEGER, Flaw, read_json
from executor.check.types import Flow, flows
from executor.check.violation import Code, Violation
from executor.fn import FUNCTIONS
from executor.fn.compare import pattern_flaw
from executor.plan.graph import cycles
from executor.plan.model import RESERVED_IDS, JsonArg, ListCond, RefCond, Step, ValueArg, ValueCond
from executor.plan.refs import Use, join_pointer, parse_ref, refs_of_plan
from executor.plan.types import MISSING, Type, child, kinds

Rule = Callable[[Analysis], Iterator[Violation]]
PRINTABLE = Type.of({"type": ["string", "number", "integer", "boolean"]})


def unique_ids(analysis: Analysis) -> Iterator[Violation]:
    """Every step has an id of its own, and none that the language keeps for itself."""
    seen: set[str] = set()
    for index, step in enumerate(analysis.plan.steps):
        at = f"/steps/{index}/id"
        if step.id in RESERVED_IDS:
            yield _say("duplicate-id", at, f"{step.id!r} is reserved", step, fix="Rename the step.")
        if step.id in seen:
            message = f"two steps are called {step.id!r}"
            yield _say("duplicate-id", at, message, step, fix="Rename one of them.")
        seen.add(step.id)


def known_actions(analysis: Analysis) -> Iterator[Violation]:
    """Every action is in the catalogue."""
    for index, step in enumerate(analysis.plan.steps):
        if analysis.action(step) is None:
            names = analysis.catalog.candidates(step.action) or _functions_like(step.action)
            hint = f"; did you mean {names[0]}?" if names else ""
            message = f"{step.action} is not in the catalog{hint}"
            fix = "Use an action of the catalog, or say `unable`."
            yield _say("unknown-action", f"/steps/{index}/action", message, step, names, fix)


def known_steps(analysis: Analysis) -> Iterator[Violation]:
    """Every reference and every `after` names something that can be referred to there."""
    ids = tuple(analysis.by_id)
    for step, use in refs_of_plan(analysis.plan):
        if not analysis.has_root(step, use.ref, use.role):
            message = f"{use.ref.root!r} cannot be referred to here"
            yield _say("unknown-step", use.at, message, step, ids, "Refer to a step or `input`.")
    for index, step in enumerate(analysis.plan.steps):
        for number, name in enumerate(step.after):
            if name not in analysis.by_id:
                message = f"there is no step {name!r} to wait for"
                yield _say("unknown-step", f"/steps/{index}/after/{number}", message, step, ids)


def known_paths(analysis: Analysis) -> Iterator[Violation]:
    """Every path exists in the output or input it points into, as far as the schema tells."""
    for step, use in refs_of_plan(analysis.plan):
        if not analysis.has_root(step, use.ref, use.role):
            continue
        if analysis.type_of(step, use.ref) is MISSING:
            names = _siblings(analysis, step, use)
            message = f"nothing is at {use.ref}"
            yield _say("unknown-path", use.at, message, step, names, "Use a declared property.")


def no_cycles(analysis: Analysis) -> Iterator[Violation]:
    """No step waits for itself, near or far."""
    for circle in cycles(analysis.graph):
        first = analysis.by_id[circle[0]]
        message = " waits for ".join((*circle, circle[0]))
        at = f"/steps/{analysis.place[first.id]}"
        yield _say("cycle", at, message, first, fix="Break the circle.")


def lists_to_iterate(analysis: Analysis) -> Iterator[Violation]:
    """`each` refers to an array."""
    for index, step in enumerate(analysis.plan.steps):
        if step.each is None:
            continue
        ref = parse_ref(step.each)
        found = analysis.type_of(step, ref) if analysis.has_root(step, ref, "each") else None
        if found is not None and found is not MISSING and is_list(found) is False:
            yield _say("not-a-list", f"/steps/{index}/each", f"{ref} is no array", step)


def known_arguments(analysis: Analysis) -> Iterator[Violation]:
    """Every argument goes to a place that the action has."""
    for binding in _bindings(analysis):
        if binding.target is MISSING:
            names = _argument_names(analysis, binding)
            message = f"{binding.step.action} has no argument {binding.arg.to!r}"
            yield _of(binding, "unknown-argument", "/to", message, names, "Remove or rename it.")


def bound_once(analysis: Analysis) -> Iterator[Violation]:
    """No place is bound twice, and none inside another."""
    for step in analysis.plan.steps:
        bound: list[tuple[str, ...]] = []
        for binding in analysis.bindings(step):
            for other in bound:
                shorter = min(len(other), len(binding.to))
                if other[:shorter] == binding.to[:shorter]:
                    message = f"{binding.arg.to!r} and {join_pointer(other)!r} overlap"
                    yield _of(binding, "overlapping-argument", "/to", message, (), "Bind it once.")
                    break
            bound.append(binding.to)


def required_arguments(analysis: Analysis) -> Iterator[Violation]:
    """Everything that the action requires is bound, and array places leave no gap."""
    for index, step in enumerate(analysis.plan.steps):
        action = analysis.action(step)
        if action is None:
            continue
        tree = _tree([binding.to for binding in analysis.bindings(step)])
        yield from _check_tree(tree, Type.of(action.input_schema), (), step, f"/steps/{index}")


def right_types(analysis: Analysis) -> Iterator[Violation]:
    """What flows into an argument can be valid there."""
    for binding in _bindings(analysis):
        if isinstance(binding.target, Type) and isinstance(binding.source, Type):
            if flows(binding.source, binding.target) is Flow.NO:
                member = next(iter(binding.arg.model_dump(by_alias=True)))
                message = (
                    f"{_shown(binding.source)} can never be {_shown(binding.target)} "
                    f"for {binding.arg.to!r}"
                )
                yield _of(binding, "type-mismatch", f"/{member}", message)
    for step, use in refs_of_plan(analysis.plan):
        if "/text/" in use.at and analysis.has_root(step, use.ref, use.role):
            found = analysis.type_of(step, use.ref)
            if isinstance(found, Type) and flows(found, PRINTABLE) is Flow.NO:
                message = f"{use.ref} is {_shown(found)}, which is no piece of a text"
                yield _say("type-mismatch", use.at, message, step)


def readable_constants(analysis: Analysis) -> Iterator[Violation]:
    """`json` texts are strict JSON, and every number can be carried exactly."""
    for binding in _bindings(analysis):
        match binding.arg:
            case JsonArg(json_text=text):
                try:
                    read_json(text)
                except Flaw as flaw:
                    yield _of(binding, flaw.code, "/json", flaw.message)
            case ValueArg(value=int(value)) if abs(value) > MAX_SAFE_INTEGER:
                yield _of(binding, "number-out-of-range", "/value", f"{value} is beyond ±(2^53-1)")
            case _:
                pass


def comparable_conditions(analysis: Analysis) -> Iterator[Violation]:
    """The two sides of every condition have a common order, and patterns are RE2."""
    for index, step in enumerate(analysis.plan.steps):
        for name, conds in (("when", step.when), ("expect", step.expect)):
            for number, cond in enumerate(conds):
                at = f"/steps/{index}/{name}/{number}"
                if isinstance(cond, ListCond):
                    continue
                if flaw := _cond_flaw(analysis, step, cond):
                    yield _say("not-comparable", at, flaw, step)


RULES: tuple[Rule, ...] = (
    unique_ids,
    known_actions,
    known_steps,
    known_paths,
    no_cycles,
    lists_to_iterate,
    known_arguments,
    bound_once,
    required_arguments,
    right_types,
    readable_constants,
    comparable_conditions,
)


def structural_violations(analysis: Analysis) -> tuple[Violation, ...]:
    """Apply every rule."""
    return tuple(violation for rule in RULES for violation in rule(analysis))


def _bindings(analysis: Analysis) -> Iterator[Binding]:
    for step in analysis.plan.steps:
        if analysis.action(step) is not None:
            yield from analysis.bindings(step)


def _say(
    code: Code,
    at: str,
    message: str,
    step: Step | None,
    candidates: Iterable[str] = (),
    fix: str = "",
) -> Violation:
    return Violation(code, at, message, step.id if step else None, tuple(candidates)[:8], fix)


def _of(
    binding: Binding,
    code: Code,
    member: str,
    message: str,
    candidates: Iterable[str] = (),
    fix: str = "",
) -> Violation:
    index = binding.place
    return _say(code, f"/steps/{index}{binding.at}{member}", message, binding.step, candidates, fix)


def _functions_like(name: str) -> tuple[str, ...]:
    return tuple(FUNCTIONS) if name.startswith("fn.") else ()


def _siblings(analysis: Analysis, step: Step | None, use: Use) -> tuple[str, ...]:
    for length in range(len(use.ref.tokens) - 1, -1, -1):
        shorter = type(use.ref)(use.ref.root, use.ref.tokens[:length])
        found = analysis.type_of(step, shorter)
        if isinstance(found, Type):
            properties = (found.resolved() or {}).get("properties")
            return tuple(properties) if isinstance(properties, dict) else ()
    return ()


def _argument_names(analysis: Analysis, binding: Binding) -> tuple[str, ...]:
    action = analysis.action(binding.step)
    properties = action.input_schema.get("properties") if action else None
    return tuple(properties) if isinstance(properties, dict) else ()


Tree = dict[str, "Tree"]


def _tree(targets: Iterable[tuple[str, ...]]) -> Tree | None:
    """Bound places as a tree; None where the whole is bound at once."""
    root: Tree = {}
    for to in targets:
        if not to:
            return None
        here = root
        for token in to:
            here = here.setdefault(token, {})
    return root


def _check_tree(
    tree: Tree | None, target: Type, path: tuple[str, ...], step: Step, at: str
) -> Iterator[Violation]:
    if tree is None or (path and not tree):
        return  # bound as a whole: its own type decides
    if kinds(target) == frozenset({"array"}):
        wanted = [str(index) for index in range(len(tree))]
        if sorted(tree) != sorted(wanted):
            message = f"the places {', '.join(sorted(tree))} of {join_pointer(path)!r} leave a gap"
            yield _say("sparse-array", f"{at}/args", message, step, fix="Number them from 0.")
    else:
        required = (target.resolved() or {}).get("required")
        for name in required if isinstance(required, list) else []:
            if name not in tree:
                where = join_pointer((*path, str(name)))
                message = f"{step.action} needs {where!r}"
                fix = "Bind it, or ask a question."
                yield _say("missing-argument", f"{at}/args", message, step, (where,), fix)
    for token, below in tree.items():
        found = child(target, token)
        if isinstance(found, Type):
            yield from _check_tree(below, found, (*path, token), step, at)


_ORDERED = frozenset({"string", "number", "integer", "object"})


def _cond_flaw(analysis: Analysis, step: Step, cond: ValueCond | RefCond) -> str | None:
    if isinstance(cond, ValueCond):
        if cond.op == "matches":
            return pattern_flaw(cond.value)
        if cond.op == "exists":
            return None if isinstance(cond.value, bool) else "`exists` compares with true or false"
        left = analysis.type_of(step, parse_ref(cond.left))
        right: object = Type.of({"const": cond.value})
    else:
        if cond.op in ("exists", "matches"):
            return f"`{cond.op}` takes a constant"
        left = analysis.type_of(step, parse_ref(cond.lhs))
        right = analysis.type_of(step, parse_ref(cond.rhs))
    if cond.op in ("==", "!=") or not isinstance(left, Type) or not isinstance(right, Type):
        return None
    have, want = kinds(left), kinds(right)
    if have is None or want is None:
        return None
    if not have & _ORDERED or not want & _ORDERED:
        return f"{_shown(left)} has no order"
    numbers = frozenset({"number", "integer"})
    if not have & want and not (have & numbers and want & numbers):
        return f"{_shown(left)} has no order with {_shown(right)}"
    return None


def _shown(found: Type) -> str:
    node: Mapping[str, JsonValue] = found.resolved() or {}
    if "const" in node:
        text = repr(node["const"])
        return text if len(text) <= 60 else text[:57] + "..."
    if isinstance(node.get("enum"), list):
        return f"one of {node['enum']}"
    names = kinds(found)
    tag = f" ({node['format']})" if "format" in node else ""
    return (" or ".join(sorted(names)) if names else "any value") + tag
