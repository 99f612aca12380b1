"""What a plan reads of the answers that it gets: which members, and as which types."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject, Sink
from executor.check.admit import Accepted
from executor.check.certificate import read_args
from executor.check.strict_json import read_json
from executor.fn import FUNCTIONS
from executor.plan.model import Arg, Cond, JsonArg, ListCond, Lit, RefArg, RefCond, Step, ValueArg
from executor.plan.refs import join_pointer, parse_ref, refs_of_args, refs_of_plan, split_pointer
from executor.plan.types import Type, child, kind_of, likely_kinds
from executor.rehearse.fake import Path, Reads
from executor.rehearse.origins import Origins, starred

_LIST, _MAP = Type.of({"type": "array"}), Type.of({"type": "object"})


def reads_of(accepted: Accepted) -> Mapping[str, Reads]:
    """What is read of the answer of each step's call."""
    steps = {step.id: step for step in accepted.plan.steps}
    origins, names = Origins(steps), frozenset(_names(accepted))
    types: dict[str, dict[Path, Type]] = {step: {} for step in steps}
    for text, at, expected in _expectations(accepted):
        for origin in origins.of(text, at):
            known = types[origin.step].get(starred(origin.path))
            if known is None or known.node in ({}, True):
                types[origin.step][starred(origin.path)] = expected
    texts = tuple(dict.fromkeys(_texts(accepted)))
    return {step: Reads(names, found, texts) for step, found in types.items()}


def reads_of_undo(accepted: Accepted) -> Reads:
    """What is read of the answers of calls that are no step's."""
    return Reads(frozenset(_names(accepted)), {}, tuple(dict.fromkeys(_texts(accepted))))


def _names(accepted: Accepted) -> Iterator[str]:
    """Every name of a member that is read anywhere: too many harm nobody."""
    for _, use in refs_of_plan(accepted.plan):
        yield from use.ref.tokens
    for step in accepted.plan.steps:
        if step.action in FUNCTIONS:
            for arg in step.args:
                yield from _tokens_said(arg)
    for decision in accepted.certificate.undo:
        for use in refs_of_args(read_args(decision.args)):
            yield from use.ref.tokens
    for action in accepted.actions.values():
        if action.answers_as is not None:
            yield from (token for each in action.answers_as.of for token in split_pointer(each))
        yield from (token for each in action.answer_ids for token in split_pointer(each))


def _tokens_said(arg: Arg) -> Iterator[str]:
    """The members that a function is told of by constants: a field, a key."""
    if isinstance(arg, ValueArg) and isinstance(arg.value, str):
        yield from split_pointer(arg.value)
    elif isinstance(arg, JsonArg):
        yield from (each for each in arg.json_text.replace("/", '"').split('"') if each.isascii())


def _expectations(accepted: Accepted) -> Iterator[tuple[str, Step | None, Type]]:
    """Every reference, where it stands, and the type that is needed there."""
    for step in accepted.plan.steps:
        if step.each is not None:
            yield step.each, step, _LIST
        for cond in (*step.when, *step.expect):
            yield from ((text, step, expected) for text, expected in _of_cond(cond))
        if step.action in FUNCTIONS:
            yield from ((text, step, expected) for text, expected in _of_function(step))
        elif (action := accepted.actions.get(step.action)) is not None:
            yield from ((text, step, expected) for text, expected in _of_call(step.args, action))
    for decision in accepted.certificate.undo:
        undo = accepted.actions.get(decision.action or "")
        step = next(each for each in accepted.plan.steps if each.id == decision.step)
        if undo is not None:
            needed = _of_call(read_args(decision.args), undo)
            yield from ((ref, step, kind) for ref, kind in needed if ref.startswith("result"))
    for use in refs_of_args(accepted.plan.answer):
        yield str(use.ref), None, Type.of({})


def _of_call(args: tuple[Arg, ...], action: ActionSpec) -> Iterator[tuple[str, Type]]:
    for arg in args:
        if isinstance(arg, RefArg):
            here: Type | None = Type.of(action.input_schema)
            for token in split_pointer(arg.to):
                below = child(here, token) if here is not None else None
                here = below if isinstance(below, Type) else None
            yield arg.ref, _as_amount(action, arg.to, here or Type.of({}))
        elif not isinstance(arg, ValueArg | JsonArg):
            pieces = (piece for piece in arg.text if not isinstance(piece, Lit))
            yield from ((piece.ref, Type.of({"type": "string"})) for piece in pieces)


def _as_amount(action: ActionSpec, to: str, found: Type) -> Type:
    """The same, but of an amount that may be any text one that can be counted."""
    node = found.keywords
    is_text = "string" in (likely_kinds(found) or ()) and "pattern" not in node
    places = {to, to.removesuffix("/amount")}
    if is_text and any(action.sinks.get(each) is Sink.AMOUNT for each in places):
        return Type.of({"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"})
    return found


def _of_cond(cond: Cond) -> Iterator[tuple[str, Type]]:
    match cond:
        case RefCond(lhs=lhs, rhs=rhs):
            yield lhs, Type.of({})
            yield rhs, Type.of({})
        case ListCond(subject=subject, list_of=values):
            yield subject, _like(values[0] if values else None)
        case _:
            yield cond.left, _like(None if cond.op == "exists" else cond.value)


def _of_function(step: Step) -> Iterator[tuple[str, Type]]:
    """A list with the members that its clauses name, a map, or whatever it is."""
    args = {arg.to: arg for arg in step.args}
    schema = args.get("schema")
    for arg in step.args:
        if not isinstance(arg, RefArg):
            continue
        if step.action == "fn.typed" and isinstance(schema, JsonArg):
            yield arg.ref, Type.of(read_json(schema.json_text))
            continue
        if arg.to not in ("list", "map"):
            number = arg.to in ("left", "right") and step.action != "fn.zip"
            yield arg.ref, Type.of({"type": "number"} if number else {})
            continue
        yield arg.ref, _LIST if arg.to == "list" else _MAP
        for place, field in args.items():
            if isinstance(field, ValueArg) and place.rpartition("/")[2] in ("field", "by"):
                value = args.get(place.removesuffix("field") + "value")
                like = _like(value.value) if isinstance(value, ValueArg) else Type.of({})
                like = Type.of({"type": "number"}) if step.action == "fn.sum" else like
                path = ("0", *("0" if token == "*" else token  # noqa: S105 - of a path
                               for token in split_pointer(str(field.value))))  # fmt: skip
                yield _below(arg.ref, path), like


def _below(text: str, path: Path) -> str:
    ref = parse_ref(text)
    return join_pointer((ref.root, *ref.tokens, *path))


def _like(value: JsonValue) -> Type:
    """The type of what a value is compared with."""
    kind = kind_of(value)
    like: JsonObject = {"type": "number" if kind == "integer" else kind}
    return Type.of({} if value is None else like)


def _texts(accepted: Accepted) -> Iterator[str]:
    """The texts of the plan and its inputs: what a plan says once, it may say everywhere."""
    for step in accepted.plan.steps:
        for arg in step.args:
            if isinstance(arg, ValueArg) and isinstance(arg.value, str):
                yield arg.value
        for cond in (*step.when, *step.expect):
            value = getattr(cond, "value", None)
            if isinstance(value, str):
                yield value
    yield from _leaves(accepted.inputs.values)


def _leaves(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _leaves(each)
        case list():
            for each in value:
                yield from _leaves(each)
        case _:
            return
