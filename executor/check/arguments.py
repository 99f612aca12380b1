"""The rules of admission over arguments: where they go, what comes, and whether it fits.

What is not decided here, because a schema leaves it open, is a guard of the certificate.
"""

from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from connectors.spec import ActionSpec
from connectors.validate import first_flaw
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.entry import declared_input
from executor.check.known import known_arguments as known_values
from executor.check.say import PRINTABLE, say, shown, violation_of
from executor.check.strict_json import MAX_SAFE_INTEGER, Flaw, read_json
from executor.check.types import Flow
from executor.check.unknown import is_open
from executor.check.violation import Code, Violation
from executor.fn import FUNCTIONS
from executor.plan.model import Arg, JsonArg, ListCond, Step, ValueArg, ValueCond
from executor.plan.refs import array_index, join_pointer, split_pointer
from executor.plan.types import MISSING, Type, as_list, as_object, child, is_array, kinds


def known_arguments(analysis: Analysis) -> Iterator[Violation]:
    """Every argument goes to a place that the action has."""
    for _, step, action in _acting(analysis):
        for binding in analysis.bindings(step):
            if binding.target is MISSING:
                names = tuple(as_object(action.input_schema.get("properties")))
                message = f"{action.name} has no argument {binding.arg.to!r}"
                fix = "Remove or rename it."
                yield violation_of(binding, "unknown-argument", "/to", message, names, fix)


def bound_once(analysis: Analysis) -> Iterator[Violation]:
    """No place is bound twice, and none inside another."""
    for step in analysis.plan.steps:
        bindings = analysis.bindings(step)
        for index, at, other in _overlaps([each.to for each in bindings]):
            message = f"{join_pointer(at)!r} and {join_pointer(other)!r} overlap"
            fix = "Bind it once."
            yield violation_of(bindings[index], "overlapping-argument", "/to", message, (), fix)


def required_arguments(analysis: Analysis) -> Iterator[Violation]:
    """Everything that the action requires is bound, and array places leave no gap."""
    for index, step, action in _acting(analysis):
        tree = _tree([binding.to for binding in analysis.bindings(step)])
        yield from _check_tree(tree, declared_input(action), (), step, f"/steps/{index}")


def right_types(analysis: Analysis) -> Iterator[Violation]:
    """What flows into an argument can be valid there."""
    for _, acting, _ in _acting(analysis):
        for binding in analysis.bindings(acting):
            match binding.source, binding.target:
                case Type() as source, Type() as target if analysis.flow(binding) is Flow.NO:
                    yield _mismatch(binding, source, target)
    for step, use in analysis.refs:
        if "/text/" in use.at and analysis.has_root(step, use.ref, use.role):
            found = analysis.type_of(step, use.ref)
            if isinstance(found, Type) and analysis.types.flow(found, PRINTABLE) is Flow.NO:
                message = f"{use.ref} is {shown(found)}, which is no piece of a text"
                fix = "Refer to a text, a number or a boolean."
                yield say("type-mismatch", use.at, message, step, (), fix)


def _mismatch(binding: Binding, source: Type, target: Type) -> Violation:
    have, want = shown(source), shown(target)
    why = f"can never be {want}" if have != want else "can never be one with the members wanted"
    is_function = binding.step.action in FUNCTIONS
    wants_list = is_function and is_array(target) and not is_array(source)
    code: Code = "not-a-list" if wants_list else "type-mismatch"
    message = f"{have} {why} for {binding.arg.to!r}"
    fix = "Take another value, or convert it with an `fn.*` step."
    return violation_of(binding, code, f"/{_member(binding.arg)}", message, (), fix)


def fits_as_a_whole(analysis: Analysis) -> Iterator[Violation]:
    """The arguments of a step can be valid together; said where nothing smaller is wrong."""
    flawed: set[str | None] | None = None
    for index, step, action in _acting(analysis):
        if analysis.whole_flow(step) is not Flow.NO:
            continue
        if flawed is None:
            flawed = {found.step for rule in _SINGLE for found in rule(analysis)}
        if step.id not in flawed:
            message = f"the arguments together can never be valid: {_flaw(analysis, step, action)}"
            fix = "See the action's input schema."
            yield say("type-mismatch", f"/steps/{index}/args", message, step, (), fix)


def _flaw(analysis: Analysis, step: Step, action: ActionSpec) -> str:
    known = known_values(analysis.bindings(step), {}, declared_input(action))
    found = None if is_open(known) else first_flaw(action.input_schema, known)
    return found or "they exclude each other"


def readable_constants(analysis: Analysis) -> Iterator[Violation]:
    """`json` texts are strict JSON, and every number can be carried exactly."""
    for index, step in enumerate(analysis.plan.steps):
        yield from _unreadable(step.args, f"/steps/{index}/args", step)
        for name, conds in (("when", step.when), ("expect", step.expect)):
            for number, cond in enumerate(conds):
                at = f"/steps/{index}/{name}/{number}"
                if isinstance(cond, ValueCond):
                    yield from _too_large(cond.value, f"{at}/value", step)
                if isinstance(cond, ListCond):
                    for place, value in enumerate(cond.list_of):
                        yield from _too_large(value, f"{at}/list/{place}", step)
    yield from _unreadable(analysis.plan.answer, "/answer", None)


def sound_answer(analysis: Analysis) -> Iterator[Violation]:
    """The answer binds every place once, and its arrays leave no gap."""
    entries = [split_pointer(arg.to) for arg in analysis.plan.answer]
    for index, at, other in _overlaps(entries):
        message = f"{join_pointer(at)!r} and {join_pointer(other)!r} overlap"
        yield say("overlapping-argument", f"/answer/{index}/to", message, None, (), "Bind it once.")
    tree = _tree(entries)
    if tree:
        yield from _gaps_in_answer(tree, ())


def _gaps_in_answer(tree: "Tree", path: tuple[str, ...]) -> Iterator[Violation]:
    if all(array_index(token) is not None for token in tree) and not _is_dense(tree):
        message = f"the places {', '.join(tree)} of {join_pointer(path)!r} leave a gap"
        yield say("sparse-array", "/answer", message, None, fix="Number them from 0.")
    for token, below in tree.items():
        yield from _gaps_in_answer(below, (*path, token))


def _unreadable(args: tuple[Arg, ...], at: str, step: Step | None) -> Iterator[Violation]:
    for index, arg in enumerate(args):
        match arg:
            case JsonArg(json_text=text):
                try:
                    read_json(text)
                except Flaw as flaw:
                    fix = "Send the JSON text of one object or array."
                    yield say(flaw.code, f"{at}/{index}/json", flaw.message, step, (), fix)
            case ValueArg(value=value):
                yield from _too_large(value, f"{at}/{index}/value", step)
            case _:
                pass


def _too_large(value: JsonValue, at: str, step: Step | None) -> Iterator[Violation]:
    if isinstance(value, int | float) and abs(value) > MAX_SAFE_INTEGER:
        message = "a number beyond ±(2^53-1), which JSON cannot carry exactly"
        fix = "Send it as a text, if the argument takes one."
        yield say("number-out-of-range", at, message, step, (), fix)


def _member(arg: Arg) -> str:
    return next(iter(arg.model_dump(by_alias=True)))


def _overlaps(
    places: list[tuple[str, ...]],
) -> Iterator[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    """Each place that one before it is, holds or is part of, with the first such."""
    bound: dict[tuple[str, ...], int] = {}  # who binds a place first
    within: dict[tuple[str, ...], int] = {}  # who first binds something of it
    for index, at in enumerate(places):
        above = [at[:depth] for depth in range(len(at))]
        first = min((bound[each] for each in (*above, at) if each in bound), default=index)
        first = min(first, within.get(at, index))
        if first < index:
            yield index, at, places[first]
        bound.setdefault(at, index)
        for each in above:
            within.setdefault(each, index)


_SINGLE = (known_arguments, bound_once, required_arguments, right_types, readable_constants)


def _acting(analysis: Analysis) -> Iterator[tuple[int, Step, ActionSpec]]:
    """Every step whose action is known."""
    for index, step in enumerate(analysis.plan.steps):
        action = analysis.action(step)
        if action is not None:
            yield index, step, action


Tree = dict[str, "Tree"]


def _is_dense(tree: Tree) -> bool:
    return tree.keys() == {str(index) for index in range(len(tree))}


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
    if tree is None:
        return  # bound as a whole: its own type decides
    if is_array(target):
        if not _is_dense(tree) and all(array_index(token) is not None for token in tree):
            message = f"the places {', '.join(sorted(tree))} of {join_pointer(path)!r} leave a gap"
            yield say("sparse-array", f"{at}/args", message, step, fix="Number them from 0.")
    elif "object" in (kinds(target) or {"object"}):
        for name in as_list(target.keywords.get("required")):
            if name not in tree:
                where = join_pointer((*path, str(name)))
                message = f"{step.action} needs {where!r}"
                fix = "Bind it, or ask a question."
                yield say("missing-argument", f"{at}/args", message, step, (where,), fix)
    for token, below in tree.items():
        found = child(target, token) if below else None
        if isinstance(found, Type):
            yield from _check_tree(below, found, (*path, token), step, at)
