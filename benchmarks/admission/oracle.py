"""What is wrong with a plan, said a second time: straightforward, slow, and sharing no code.

Nothing of `executor` is used here. A plan is JSON, a type is a JSON Schema without references,
and whether a value of one type can be one of another is found by making examples of both and
asking a validator. Wherever a schema leaves something open nothing is said, as in admission.
What a step on a circle gives is what its action declares; a function there gives anything.

A format that no standard names is a kind: of its values it is said that they bear its name, and
those that bear another are none of it. A text that bears none may be of any.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs

Node = dict[str, Any]
OPEN: Node = {}
MOST_STEPS, HOPELESS, MOST_SAFE = 50, 200, 2**53 - 1
_RESERVED = {"input", "each", "each_item", "result", "fn"}
_ORDER = {"<", "<=", ">", ">="}
_OPERATORS = {"==", "!=", *_ORDER, "matches", "exists"}
_MONEY: Node = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
_DECIMAL = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}
_TEXTS = ["", "a", "EUR", "12.50", "1042", "2026-01-31", "2026-01-31T10:00:00Z", "ann@example.com"]
_TEXTS += [
    "https://example.com/x",
    "123e4567-e89b-42d3-a456-426614174000",
    "some words",
    "00:10:00Z",
]
_KIND = "kind:"
# What JSON Schema and the registry of OpenAPI's formats list.
_STANDARD_FORMATS = set(
    """base64url binary byte char commonmark date date-time decimal decimal128 double double-int
    duration email float hostname html http-date idn-email idn-hostname int16 int32 int64 int8 ipv4
    ipv6 iri iri-reference json-pointer media-range password regex relative-json-pointer sf-binary
    sf-boolean sf-decimal sf-integer sf-string sf-token time uint16 uint32 uint64 uint8 unixtime uri
    uri-reference uri-template uuid""".split()
)
_PRINTABLE: Node = {"type": ["string", "number", "boolean"]}
_ANYTHING = [None, True, 0, 0.5, *_TEXTS[:4], [], {}, ["a"], {"a": 1}]


class _FlawedError(Exception):
    pass


def codes_of(text: str, actions: dict[str, tuple[Node, Node | None]], inputs: Node) -> set[str]:
    """Every code that a plan, as text, deserves; none where nothing is certainly wrong."""
    try:
        plan = _read(text)
    except _FlawedError as flaw:
        return {str(flaw)}
    if not _has_shape(plan):
        return {"unknown-field"}
    if plan.get("questions") or plan.get("unable") is not None:
        return set()
    steps = plan.get("steps", [])
    over = {"budget-exceeded"} if len(steps) > MOST_STEPS else set()
    if len(steps) > HOPELESS:
        return over
    return over | _Reading(plan, actions, inputs).codes()


def _read(text: str) -> Any:
    """Strict JSON; raises `_FlawedError` with the code."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise _FlawedError("duplicate-key")
        return dict(pairs)

    def never(_: str) -> Any:
        raise _FlawedError("malformed-json")

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=never)
    except json.JSONDecodeError:
        raise _FlawedError("malformed-json") from None
    for number in _numbers(value):
        if abs(number) > MOST_SAFE:
            raise _FlawedError("number-out-of-range")
    return value


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _numbers(member)


# The shape.

_SCALAR = (str, int, float, bool, type(None))
_STEP = {"id", "why", "action", "args", "each", "when", "expect", "after"}
_PLAN = {"understanding", "assumptions", "questions", "unable", "steps", "answer"}


def _has_shape(plan: Any) -> bool:
    if not isinstance(plan, dict) or not plan.keys() <= _PLAN:
        return False
    steps, answer = plan.get("steps", []), plan.get("answer", [])
    return (
        isinstance(steps, list)
        and all(map(_is_step, steps))
        and isinstance(answer, list)
        and all(map(_is_arg, answer))
        and isinstance(plan.get("understanding", ""), str)
    )


def _is_step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and step.keys() <= _STEP
        and isinstance(step.get("id"), str)
        and re.fullmatch(r"[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,5}", step["id"])
        is not None
        and isinstance(step.get("action"), str)
        and isinstance(step.get("why", ""), str)
        and isinstance(step.get("each"), str | None)
        and all(
            isinstance(step.get(name, []), list) for name in ("args", "when", "expect", "after")
        )
        and all(map(_is_arg, step.get("args", [])))
        and all(map(_is_cond, [*step.get("when", []), *step.get("expect", [])]))
        and all(isinstance(each, str) for each in step.get("after", []))
    )


def _is_arg(arg: Any) -> bool:
    match arg:
        case {"to": str(), "ref": str()} | {"to": str(), "json": str()}:
            return len(arg) == 2
        case {"to": str(), "value": value}:
            return len(arg) == 2 and isinstance(value, _SCALAR)
        case {"to": str(), "text": list(pieces)}:
            return len(arg) == 2 and all(
                isinstance(each, dict)
                and len(each) == 1
                and isinstance(each.get("lit", each.get("ref")), str)
                and each.keys() <= {"lit", "ref"}
                for each in pieces
            )
        case _:
            return False


def _is_cond(cond: Any) -> bool:
    match cond:
        case {"left": str(), "op": str(op), "value": value}:
            return len(cond) == 3 and op in _OPERATORS and isinstance(value, _SCALAR)
        case {"lhs": str(), "op": str(op), "rhs": str()}:
            return len(cond) == 3 and op in _OPERATORS
        case {"subject": str(), "op": "in", "list": list(values)}:
            return len(cond) == 3 and all(isinstance(each, _SCALAR) for each in values)
        case _:
            return False


# Schemas.


def kinds_of(node: Node) -> set[str] | None:
    """The JSON types that a value can have; None where the schema does not say."""
    if "type" in node:
        names = node["type"] if isinstance(node["type"], list) else [node["type"]]
        return {*names, *(["integer"] if "number" in names else [])}
    if "const" in node or "enum" in node:
        return {_kind(value) for value in node.get("enum", [node.get("const")])}
    arms = _arms(node)
    if not arms:
        return None
    every = [kinds_of(arm) for arm in arms]
    return None if None in every else {name for each in every for name in each or ()}


def _arms(node: Node) -> list[Node]:
    return [arm for key in ("anyOf", "oneOf") for arm in node.get(key, []) if "type" not in node]


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    is_whole = isinstance(value, int | float) and float(value).is_integer()
    return names.get(type(value)) or ("integer" if is_whole else "number")


def _is_list(node: Node) -> bool:
    names = kinds_of(node)
    if names is None and ("items" in node or "prefixItems" in node):
        return True
    return names is not None and names - {"null"} == {"array"}


def _index(token: str) -> int | None:
    return int(token) if re.fullmatch(r"0|[1-9][0-9]{0,8}", token) else None


def at(node: Node | None, tokens: list[str]) -> Node | None:
    """The schema at a path; None where nothing can be."""
    for token in tokens:
        if node is None:
            return None
        node = _below(node, token)
    return node


def _below(node: Node, token: str) -> Node | None:
    index = _index(token)
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        found = [each[token] for each in values if isinstance(each, dict) and token in each]
        if index is not None:
            found += [
                each[index] for each in values if isinstance(each, list) and index < len(each)
            ]
        return {"enum": found} if found else None
    if arms := _arms(node):
        inside = [_below(arm, token) for arm in arms if kinds_of(arm) != {"null"}]
        there = [each for each in inside if each is not None]
        return _either(there) if there else None
    names = kinds_of(node)
    if names is not None and not names & {"array", "object"}:
        return None
    if _is_list(node):
        prefix = node.get("prefixItems", [])
        if index is None:
            return None
        if index < len(prefix):
            return dict(prefix[index])
        rest = node.get("items", OPEN)
        return None if rest is False else dict(rest)
    own, extra = node.get("properties", {}), node.get("additionalProperties")
    if token in own:
        return dict(own[token])
    if isinstance(extra, dict):
        return extra
    if extra is False:
        return None
    return OPEN if extra is True or "properties" not in node else None


def _either(nodes: list[Node]) -> Node:
    if OPEN in nodes:
        return OPEN
    return nodes[0] if len(nodes) == 1 else {"anyOf": nodes}


def items(node: Node) -> Node:
    """The schema of any element."""
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        found = [element for each in values if isinstance(each, list) for element in each]
        return {"enum": found} if found else OPEN
    if arms := _arms(node):
        lists = [arm for arm in arms if "array" in (kinds_of(arm) or {"array"})]
        return _either([items(arm) for arm in lists]) if lists else OPEN
    rest, prefix = node.get("items"), node.get("prefixItems", [])
    if rest is False and prefix:
        return _either(prefix)
    return _either([*prefix, rest]) if isinstance(rest, dict) else OPEN


def _members(node: Node) -> Node:
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, dict) and "properties" not in node else OPEN


# Examples, and what they say of two schemas.


@lru_cache(maxsize=20_000)
def _validator(text: str) -> jsonschema_rs.Validator:
    named = {name: _bears(name) for name in _formats(json.loads(text)) - _STANDARD_FORMATS}
    return jsonschema_rs.Draft202012Validator(text, validate_formats=True, formats=named)


def _bears(kind: str) -> Callable[[str], bool]:
    return lambda text: not text.startswith(_KIND) or text.startswith(f"{_KIND}{kind}:")


def _formats(node: Any) -> set[str]:
    """Every format that a schema names anywhere; one too many does no harm."""
    if isinstance(node, list):
        return {name for each in node for name in _formats(each)}
    if not isinstance(node, dict):
        return set()
    own = {node["format"]} if isinstance(node.get("format"), str) else set()
    return own | {name for each in node.values() for name in _formats(each)}


def fits(value: Any, node: Node) -> bool:
    """Whether a validator takes the value."""
    return not node or _validator(json.dumps(node)).is_valid(value)


def can_be(source: Node, target: Node) -> list[Any]:
    """Values that are valid for both; none where the examples of both rule each other out."""
    return _common(json.dumps(source), json.dumps(target))


@lru_cache(maxsize=50_000)
def _common(source: str, target: str) -> list[Any]:
    one, other = json.loads(source), json.loads(target)
    ours, theirs = examples(one), examples(other)
    merged = [
        mine | yours
        for mine, yours in itertools.product(_objects_in(ours)[:6], _objects_in(theirs)[:6])
    ]
    named = [*_named(one, other), *_named(other, one)]
    candidates = ours + theirs + merged + named
    both = [each for each in candidates if fits(each, one) and fits(each, other)]
    is_listed = any(f'"{word}"' in source + target for word in ("const", "enum"))
    if not both and not is_listed and (loose(one), loose(other)) != (one, other):
        return can_be(loose(one), loose(other))  # no example tells that a pattern has no word
    return both[:8]


def _named(source: Node, target: Node) -> list[Any]:
    """Maps keyed by data whose keys are the very members that the other side needs."""
    extra, names = source.get("additionalProperties"), target.get("required")
    if not isinstance(extra, dict) or not names:
        return []
    own = source.get("properties", {})
    inside = {name: can_be(own.get(name, extra), _below(target, name) or OPEN) for name in names}
    return [
        {name: values[number % len(values)] for name, values in inside.items()}
        for number in range(3)
        if all(inside.values())
    ]


def _objects_in(values: list[Any]) -> list[Any]:
    return [each for each in values if isinstance(each, dict)]


def loose(node: Any) -> Any:
    """The schema without its patterns."""
    if isinstance(node, list):
        return [loose(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {name: each for name, each in node.items() if not (name == "pattern" and _is_text(each))}
    return {name: loose(each) for name, each in kept.items()}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def examples(node: Node, depth: int = 0) -> list[Any]:
    """Values of a schema, the plain and the marginal ones."""
    if depth > 6:
        return []
    if "const" in node or "enum" in node:
        found = list(node.get("enum", [node.get("const")]))
    elif arms := _arms(node):
        found = [value for arm in arms for value in examples(arm, depth + 1)]
    else:
        names = kinds_of(node)
        found = [] if names else list(_ANYTHING)
        for name in sorted(names or ()):
            found += _examples_of(name, node, depth)
    return [value for value in found if fits(value, node)][:40]


def _examples_of(kind: str, node: Node, depth: int) -> list[Any]:
    match kind:
        case "string":
            least, named = node.get("minLength", 0), node.get("format", "date")
            if named not in _STANDARD_FORMATS:
                return [f"{_KIND}{named}:" + "x" * size for size in (1, least)]
            return [*_TEXTS, "x" * least, "7" * max(least, 1)]
        case "integer" | "number":
            bounds = [node[key] for key in ("minimum", "maximum") if key in node]
            nearby = [edge + by for edge in bounds for by in (-1, 0, 1)]
            return [0, 1, 2, 7, -1, 100, *nearby, *([0.5, 19.99] if kind == "number" else [])]
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case "array":
            prefix = [examples(each, depth + 1)[:3] for each in node.get("prefixItems", [])]
            heads = [list(each) for each in itertools.islice(itertools.product(*prefix), 9)]
            rest = node.get("items", OPEN)
            tails = examples(rest, depth + 1)[:6] if isinstance(rest, dict) else []
            more = max(node.get("minItems", 0), 1)
            return heads + [head + [tail] * more for head in heads[:3] for tail in tails]
        case _:
            return _objects(node, depth)


def _objects(node: Node, depth: int) -> list[Any]:
    own = {
        name: examples(each, depth + 1)
        for name, each in node.get("properties", {}).items()
        if isinstance(each, dict)
    }
    own |= {name: list(_ANYTHING) for name in node.get("required", []) if name not in own}
    needed = [name for name in own if name in node.get("required", [])]
    found: list[Any] = []
    for names in (needed, list(own), *([*needed, name] for name in own if name not in needed)):
        for number in range(4):
            if all(own[name] for name in names):
                found.append({name: own[name][number % len(own[name])] for name in names})
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        found += [{"k": value} for value in examples(extra, depth + 1)[:4]]
    return found


# The plan.


def _split(text: str) -> list[str]:
    parts = text.split("/") if text else []
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


class _Reading:
    """One plan beside its actions; `codes` is all that is wrong with it."""

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
        self.found: set[str] = set()

    def codes(self) -> set[str]:
        ids = [step["id"] for step in self.steps]
        is_part = any(each.startswith(f"{other}.") for each in ids for other in ids)
        if len(set(ids)) < len(ids) or _RESERVED & set(ids) or is_part:
            self.found.add("duplicate-id")
        self._order()
        for step in self.steps:
            self._look_at(step)
        for arg in self.plan.get("answer", []):
            self._refs_of(arg, None)
            self._readable(arg)
        self._places([_split(arg["to"]) for arg in self.plan.get("answer", [])], None)
        return self.found

    def _order(self) -> None:
        waits: dict[str, set[str]] = {}
        for step in self.steps:
            roots = {_split(ref)[0] if ref else "" for ref, _ in _refs_in(step)}
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
            self.found.add("cycle")
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
                    for root in (_split(ref)[0] if ref else "" for ref, _ in _refs_in(step))
                )
            ]

    def _look_at(self, step: Any) -> None:
        action = self._action(step)
        for ref, role in _refs_in(step):
            self._ref(ref, step, role)
        if any(name not in self.first for name in step.get("after", [])):
            self.found.add("unknown-step")
        if step.get("each") is not None and self._has_root(step["each"], step, "each"):
            source = self._type(step["each"], step)
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
            self._overlaps([_split(arg["to"]) for arg in step.get("args", [])])
        else:
            self._arguments(step, action[0])
        if step["action"].startswith("fn."):
            self._fields(step)

    def _action(self, step: Any) -> tuple[Node, Node | None] | None:
        return self.actions.get(step["action"])

    # References.

    def _has_root(self, ref: str, step: Any, role: str) -> bool:
        root = _split(ref)[0] if ref else ""
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

    def _refs_of(self, arg: Any, step: Any) -> None:
        for ref in _refs_of_arg(arg):
            self._ref(ref, step, "arg")
        self._printable(arg, step)

    def _ref(self, ref: str, step: Any, role: str) -> None:
        if not self._has_root(ref, step, role):
            self.found.add("unknown-step")
        elif self._type(ref, step) is None:
            self.found.add("unknown-path")

    def _type(self, ref: str, step: Any) -> Node | None:
        root, *tokens = _split(ref) or [""]
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
        found = self._type(step["each"], step)
        inside = items(found) if found is not None else OPEN
        source = self._source_step(step)
        arms = inside.get("anyOf", [])
        if source is not None and source.get("each") is not None and arms[1:] == [{"type": "null"}]:
            return dict(arms[0])
        return inside

    # What a step gives.

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
            return _RESULTS[name](self._tops(step)) if step["action"] in self.actions else OPEN
        action = self._action(step)
        return (action[1] or OPEN) if action else OPEN

    def _tops(self, step: Any) -> dict[str, Node]:
        """The types of a function's arguments, put together where they are bound by parts."""
        parts: dict[str, list[tuple[list[str], Node]]] = {}
        for arg in step.get("args", []):
            head, *rest = _split(arg["to"]) or [""]
            parts.setdefault(head, []).append((rest, self._source(arg, step)))
        into = self.actions[step["action"]][0].get("properties", {})
        return {name: _built(each, into.get(name, OPEN)) for name, each in parts.items()}

    def _source(self, arg: Any, step: Any) -> Node:
        """The type of what an argument brings; open where that is in question."""
        match arg:
            case {"ref": ref}:
                root = (_split(ref) or [""])[0]
                return OPEN if root == "result" else self._type(ref, step) or OPEN
            case {"value": value}:
                return {"const": value}
            case {"text": pieces}:
                if any("ref" in each for each in pieces):
                    return {"type": "string"}
                return {"const": "".join(each["lit"] for each in pieces)}
            case _:
                try:
                    return {"const": _read(arg["json"])}
                except _FlawedError:
                    return OPEN

    # Arguments.

    def _readable(self, arg: Any) -> None:
        if "json" in arg:
            try:
                _read(arg["json"])
            except _FlawedError as flaw:
                self.found.add(str(flaw))

    def _printable(self, arg: Any, step: Any) -> None:
        for piece in arg.get("text", []):
            if "ref" in piece and self._has_root(piece["ref"], step, "arg"):
                found = self._type(piece["ref"], step)
                if found is not None and not can_be(found, _PRINTABLE):
                    self.found.add("type-mismatch")

    def _arguments(self, step: Any, into: Node) -> None:
        before = set(self.found)
        self.found = set()
        into = {"type": "object"} | into  # there is always an object of arguments
        args = step.get("args", [])
        places = [_split(arg["to"]) for arg in args]
        self._places(places, into)
        witnesses: list[list[Any]] = []
        for arg, place in zip(args, places, strict=True):
            self._readable(arg)
            target = at(into, place)
            if target is None:
                self.found.add("unknown-argument")
                continue
            source = self._source(arg, step)
            both = can_be(source, target)
            witnesses.append(both)
            if not both:
                is_list = step["action"].startswith("fn.") and _is_list(target)
                self.found.add(
                    "not-a-list" if is_list and not _is_list(source) else "type-mismatch"
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
                whole = _put(whole, place, both[number % len(both)], into)
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
        numbered = bool(tree) and all(_index(token) is not None for token in tree)
        gaps = {*tree} != {str(number) for number in range(len(tree))}
        if numbered and gaps and (node is None or _is_list(node)):
            self.found.add("sparse-array")
        if node is not None and not _is_list(node) and "object" in (kinds_of(node) or {"object"}):
            if any(name not in tree for name in node.get("required", [])):
                self.found.add("missing-argument")
        for token, below in tree.items():
            inside = None if node is None else _below(node, token)
            if inside is not None or node is None:
                self._tree(below, inside, is_top=False)

    # Conditions.

    def _condition(self, cond: Any, step: Any) -> None:
        op = cond["op"]
        if op == "in":
            return
        left = self._type(cond.get("left", cond.get("lhs")), step)
        if "rhs" in cond:
            if op in ("exists", "matches"):
                self.found.add("not-comparable")
                return
            right = self._type(cond["rhs"], step)
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
            if not _is_pattern(constant) or no_text:
                self.found.add("not-comparable")
        elif op in _ORDER and left is not None and right is not None:
            have, want = _scales(left), _scales(right)
            if have is not None and want is not None and not have & want:
                self.found.add("not-comparable")

    def _fields(self, step: Any) -> None:
        """Paths and clauses that a function is given as data."""
        args: dict[tuple[str, ...], Any] = {}
        for arg in step.get("args", []):
            args |= _opened(tuple(_split(arg["to"])), arg)
        listed = self._source(args[("list",)], step) if ("list",) in args else None
        mapped = self._source(args[("map",)], step) if ("map",) in args else None
        for place, arg in args.items():
            value = arg.get("value")
            match place:
                case ("where", _, "field") | ("by",) | ("field",) | ("fields", _):
                    if isinstance(value, str) and listed is not None:
                        self._field(listed, value)
                case ("key",):
                    if isinstance(value, str) and mapped is not None:
                        if _below(mapped, value) is None:
                            self.found.add("unknown-path")
                case _:
                    pass
        for number in {place[1] for place in args if len(place) == 3 and place[0] == "where"}:
            parts = [args.get(("where", number, name)) for name in ("field", "op", "value")]
            if all(parts):
                field, op, value = (part or {} for part in parts)
                path = field.get("value")
                is_known = listed is not None and isinstance(path, str)
                left = _reach(items(listed or OPEN), path) if is_known else None
                right = self._source(value, step)
                self._clause(str(op.get("value")), left, right, needs_text=False)

    def _field(self, listed: Node, path: str) -> None:
        if _reach(items(listed), path) is None:
            self.found.add("unknown-path")


def _opened(place: tuple[str, ...], arg: Any) -> dict[tuple[str, ...], Any]:
    """An argument, and what a constant has inside as if each member had been bound by itself."""
    found = {place: arg}
    try:
        inside = json.loads(arg["json"]) if "json" in arg else None
    except ValueError:
        inside = None
    if isinstance(inside, list):
        inside = {str(number): each for number, each in enumerate(inside)}
    for name, each in inside.items() if isinstance(inside, dict) and len(place) < 3 else ():
        is_plain = not isinstance(each, dict | list)
        found |= _opened(
            (*place, name), {"value": each} if is_plain else {"json": json.dumps(each)}
        )
    return found


def _refs_in(step: Any) -> Iterator[tuple[str, str]]:
    for arg in step.get("args", []):
        for ref in _refs_of_arg(arg):
            yield ref, "arg"
    if step.get("each") is not None:
        yield step["each"], "each"
    for role in ("when", "expect"):
        for cond in step.get(role, []):
            for name in ("left", "lhs", "rhs", "subject"):
                if name in cond:
                    yield cond[name], role


def _refs_of_arg(arg: Any) -> list[str]:
    return [each["ref"] for each in (arg, *arg.get("text", [])) if "ref" in each]


def _built(parts: list[tuple[list[str], Node]], into: Node) -> Node:
    """One type from what is bound at several places below an argument."""
    whole = next((node for rest, node in parts if not rest), None)
    if whole is not None:
        return whole
    heads: dict[str, list[tuple[list[str], Node]]] = {}
    for (head, *rest), node in parts:
        heads.setdefault(head, []).append((rest, node))
    below = {head: _built(each, _below(into, head) or OPEN) for head, each in heads.items()}
    if _is_list(into):
        elements = [below[head] for head in sorted(below, key=lambda it: (len(it), it))]
        return {"type": "array", "prefixItems": elements, "items": False, "minItems": len(elements)}
    return {
        "type": "object", "properties": below, "required": [*below], "additionalProperties": False,
    }  # fmt: skip


def _put(whole: Any, place: list[str], value: Any, node: Node | None) -> Any:
    if not place:
        return value
    head, rest = place[0], place[1:]
    below = None if node is None else _below(node, head)
    if node is not None and _is_list(node):
        index = int(head)
        elements = whole if isinstance(whole, list) else []
        elements += [{}] * (index + 1 - len(elements))
        elements[index] = _put(elements[index] or {}, rest, value, below)
        return elements
    members = whole if isinstance(whole, dict) else {}
    return members | {head: _put(members.get(head, {}), rest, value, below)}


def _reach(node: Node, path: Any) -> Node | None:
    """The schema at a path in an element, where `*` is any member."""
    here: Node | None = node
    for token in _split(path) if isinstance(path, str) else []:
        if here is None:
            return None
        if token == "*":
            inside = [each for each in (items(here), _members(here)) if each]
            here = _either(inside) if inside else OPEN
        else:
            here = _below(here, token)
    return here


def _is_pattern(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 200:
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def _scales(node: Node) -> set[str] | None:
    """What a value may be ordered as; None where that is open."""
    if "const" in node:
        return _scales_of(node["const"])
    names = kinds_of(node)
    if names is None:
        return None
    found = {"number"} if names & {"integer", "number"} else set()
    found |= {"money"} if "object" in names else set()
    if "string" in names:
        dated = node.get("format") if names == {"string"} else None
        texts = {"text", "decimal", "date", "date-time"}
        found |= {dated} if dated in ("date", "date-time") else texts
    return found


def _scales_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {"money"} if value.keys() == {"amount", "currency"} else set()
    if value is None or isinstance(value, bool | list):
        return set()
    if not isinstance(value, str):
        return {"number"}
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return {"decimal"}
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return {"date"}
    dated = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9:]+)?", value)
    return {"date-time"} if dated else {"text"}


def _quantity(*types: Node) -> Node:
    """What arithmetic over these gives."""
    names = [kinds_of(each) for each in types]
    if {"object"} in names:
        return _MONEY
    if all(each is not None and each <= {"integer", "number"} for each in names):
        return {"type": "number"}
    if {"string"} in names and all(each is not None and "object" not in each for each in names):
        return _DECIMAL
    return OPEN


def _sum(given: dict[str, Node]) -> Node:
    path = given.get("field", {"const": ""}).get("const")
    if "list" not in given or not isinstance(path, str):
        return OPEN
    found = at(items(given["list"]), _split(path))
    one = _quantity(found if found is not None else OPEN)
    if not one or one == {"type": "number"} or given["list"].get("minItems", 0) >= 1:
        return one
    return {"anyOf": [one, {"const": 0}]}


def _looked_up(given: dict[str, Node]) -> Node:
    entries, key = given.get("map", OPEN), given.get("key", OPEN).get("const")
    found = _below(entries, key) if isinstance(key, str) else _members(entries)
    return found if found is not None else OPEN


def _picked(given: dict[str, Node]) -> Node:
    fields = given.get("fields", OPEN)
    bound = fields.get("prefixItems", [])
    places = [each["const"] for each in bound if "const" in each] or fields.get("const")
    names = [str(each) for each in places] if isinstance(places, list) else []
    if len(names) < len(bound):
        names = []
    if not names or "*" in str(names):
        return {"type": "array", "items": {"type": "object"}}
    element = items(given.get("list", OPEN))
    own = {(_split(each) or ["value"])[-1]: _reach(element, each) or OPEN for each in names}
    return {
        "type": "array",
        "items": {"type": "object", "properties": own, "additionalProperties": False},
    }


def _dated(given: dict[str, Node]) -> Node:
    date = given.get("date", OPEN)
    constant = date.get("const")
    if isinstance(constant, str) and len(constant) == 10:
        return {"type": "string", "format": "date"}
    named = date.get("format")
    is_date = named in ("date", "date-time")
    return {"type": "string"} | ({"format": named} if is_date else {})


def _element(given: dict[str, Node]) -> Node:
    return items(given.get("list", OPEN))


def _array(item: Node) -> Node:
    return {"type": "array", "items": item}


def _zipped(given: dict[str, Node]) -> Node:
    sides = {side: items(given.get(side, OPEN)) for side in ("left", "right")}
    return _array(
        {"type": "object", "properties": sides, "required": [*sides], "additionalProperties": False}
    )


_RESULTS: dict[str, Callable[[dict[str, Node]], Node]] = {
    "select": _element,
    "min_by": _element,
    "max_by": _element,
    "filter": lambda given: _array(_element(given)),
    "sort": lambda given: _array(_element(given)),
    "lookup": _looked_up,
    "values": lambda given: _array(_members(given.get("map", OPEN))),
    "keys": lambda given: _array({"type": "string"}),
    "first_of": lambda given: items(given.get("options", OPEN)),
    "count": lambda given: {"type": "integer", "minimum": 0},
    "pick": _picked,
    "zip": _zipped,
    "join": lambda given: {"type": "string"},
    "sum": _sum,
    "add": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "subtract": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "multiply": lambda given: _quantity(given.get("left", OPEN), given.get("right", OPEN)),
    "format_money": lambda given: {"type": "string"},
    "date_add": _dated,
    "days_between": lambda given: {"type": "integer"},
}
