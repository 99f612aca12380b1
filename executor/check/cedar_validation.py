"""Whether policies fit the catalogue: what is wrong, and what may not be what was meant.

A *flaw* would make a policy fail, or never match, on calls that its head covers: a member that
the operation does not have, one that may be left out and is not asked for, a comparison of types
that never compare. A *hint* is about a policy that does nothing: it covers no operation, another
forbids all that it permits, or another says the same.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, Integrity, JsonObject
from executor.check import cedar_engine as engine
from executor.check.cedar import Policy, PolicyError
from executor.check.cedar_paths import ROOTS, Known, entities, uses
from executor.check.cedar_rules import Rule
from executor.check.cedar_schema import RUN, candidates, counted, relevant, schema_of
from executor.check.entry import output_type
from executor.check.objects import answers_as
from executor.plan.types import UNKNOWN, Type, as_object, kinds

SHOWN = 3  # operations that a message names before it counts
_MISSING = re.compile(r"attribute `([^`]+)` in context for Action::\"\w+\" not found.*", re.DOTALL)
_OPTIONAL = re.compile(
    r"unable to guarantee safety of access to optional attribute `([^`]+)`.*", re.DOTALL
)
_PLAINER = (
    ("__cedar::internal::AnyEntity, or __cedar::internal::OpenRecord{}", "a record"),
    ("Set<__cedar::internal::Any>", "a set"),
    ("__cedar::internal::", ""),
)
_NOTHING_APPLIES = "unable to find an applicable action given the policy scope constraints"


@dataclass(frozen=True)
class Finding:
    """One thing about one policy; `operations` are those it was found for, by name."""

    file: str
    policy: str
    message: str
    operations: tuple[str, ...] = ()

    def __str__(self) -> str:
        few = ", ".join(self.operations[:SHOWN])
        rest = len(self.operations) - SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        return f"{self.file}: {self.policy}: {self.message}" + (f" ({few}{more})" if few else "")


@dataclass(frozen=True)
class Findings:
    """All that is to be said of the policies of a gateway."""

    flaws: tuple[Finding, ...]
    hints: tuple[Finding, ...]


def validate(policy: Policy, catalog: Catalog) -> Findings:
    """Hold every policy against every operation that it covers."""
    flaws: list[Finding] = []
    hints: list[Finding] = []
    connections: dict[str, list[ActionSpec]] = {}
    for action in catalog:
        connections.setdefault(action.connection, []).append(action)
    for rule in policy.rules:
        covered = [
            action
            for action in _near(rule, catalog, connections)
            if rule.scope.covers(action, policy.connectors.get(action.connection))
        ]
        found = [*_flaws(rule, covered or [_stand_in(rule)], policy.connectors, catalog)]
        flaws += [each if covered else _without_operations(each) for each in found]
        hints += _names_unknown(rule, catalog, connections, policy.connectors)
        hints += _does_nothing(rule, covered) if not found else ()
    hints += _overruled(policy.rules)
    return Findings(tuple(flaws), tuple(dict.fromkeys(hints)))


def require_valid(policy: Policy, catalog: Catalog) -> None:
    """Raise `PolicyError` with everything that is wrong."""
    if flaws := validate(policy, catalog).flaws:
        raise PolicyError(*map(str, flaws))


def _near(
    rule: Rule, catalog: Catalog, connections: Mapping[str, list[ActionSpec]]
) -> Iterable[ActionSpec]:
    if rule.scope.connection is not None:
        return connections.get(rule.scope.connection, ())
    if rule.scope.operation is None:
        return catalog
    found = catalog.get(rule.scope.operation)
    return () if found is None else (found,)


def _stand_in(rule: Rule) -> ActionSpec:
    """For a policy that covers nothing: an operation of which nothing is known."""
    effect = min(rule.scope.effects or {Effect.BLIND.value})
    needs: JsonObject = {
        "keyed": {"idempotency": {"in": "header", "name": "key", "window_s": 1}},
        "lookup": {"lookup": {"action": "none.find", "by": "key"}},
    }
    content: JsonObject = {"name": "none.none", "input_schema": {}, "effect": effect}
    return ActionSpec.model_validate(content | as_object(needs.get(effect)))


def _without_operations(found: Finding) -> Finding:
    return Finding(found.file, found.policy, found.message)


def _flaws(
    rule: Rule, covered: Iterable[ActionSpec], connectors: Mapping[str, str], catalog: Catalog
) -> Iterator[Finding]:
    """What is wrong, each with the operations; those that look alike to it are judged once."""
    paths = uses(rule.body)
    known: dict[object, tuple[str, ...]] = {}
    found: dict[str, list[str]] = {}
    asks_which = '"resource"' in json.dumps(rule.body["conditions"])
    for action in covered:
        connector = connectors.get(action.connection)
        key = action.name if asks_which else (relevant(action, paths), action.effect)
        if key not in known:
            body = Known(action, connector, counted(action, paths)).settled(rule.body)
            known[key] = tuple(_common(body, action, candidates(action, paths, catalog.get)))
        for message in known[key]:
            found.setdefault(_told(message, action, catalog), []).append(action.name)
    for message in _labels(rule.body):
        yield Finding(rule.file, rule.name, message)
    for message, operations in found.items():
        yield Finding(rule.file, rule.name, message, tuple(operations))


def _common(
    body: JsonObject, action: ActionSpec, contexts: tuple[JsonObject, ...]
) -> Iterator[str]:
    """What is wrong whichever of the possible types the calls have."""
    kept: dict[str, None] | None = None
    for context in contexts:
        told = dict.fromkeys(
            each.removeprefix("for policy `policy0`, ")
            for each in engine.flaws(body, schema_of(action, context))
        )
        kept = told if kept is None else {each: None for each in kept if each in told}
        if not kept:
            return
    every = sorted(kept or ())
    yield from [each for each in every if each != _NOTHING_APPLIES] or every


def _told(message: str, action: ActionSpec, catalog: Catalog) -> str:
    """Cedar's words, made to be acted on."""
    if found := _MISSING.fullmatch(message):
        *above, name = _members(found[1])
        meant = difflib.get_close_matches(name, _offered(above, action, catalog))
        hint = f"; did you mean {meant[0]}?" if meant else ""
        return f"there is no context.{found[1]}{hint}"
    if found := _OPTIONAL.fullmatch(message):
        *above, name = _members(found[1])
        asked = f"context.{'.'.join(above)} has {_word(name)}"
        return f"context.{found[1]} may be left out: ask `{asked}` first"
    for internal, plain in _PLAINER:
        message = message.replace(internal, plain)
    return message


def _members(path: str) -> list[str]:
    """The names in `labels["lines/0/sku"]` or `args.amount.minor`."""
    parts = re.findall(r'\["((?:[^"\\]|\\.)*)"\]|([^.\["]+)', path)
    return [quoted or plain for quoted, plain in parts]


def _word(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name)


def _offered(above: list[str], action: ActionSpec, catalog: Catalog) -> list[str]:
    """Names that could stand where one is not known."""
    if not above:
        return sorted(ROOTS)
    if above == ["run"]:
        return [*RUN]
    if above in (["read"], ["stale"]):
        return [each.name for each in catalog if answers_as(each) == each.name]
    here, inside = Type.of(action.input_schema), above[1:]
    if above[0] in ("read", "stale"):
        read, inside = catalog.get(above[1]), above[2:]
        here = output_type(read) if read else UNKNOWN
    for token in inside:
        here = here.below(as_object(here.keywords.get("properties")).get(token))
    declared = as_object(here.keywords.get("properties"))
    lists = [name for name, node in declared.items() if _is_list(node)]
    is_money = {"amount", "currency"} <= declared.keys()
    return [
        *(["minor", "currency"] if is_money else declared),
        *(f"{each}_count" for each in lists),
    ]


def _is_list(node: JsonValue) -> bool:
    return "array" in (kinds(Type.of(node)) or ())


def _labels(node: JsonValue) -> Iterator[str]:
    """A label is compared with one that exists."""
    match node:
        case {"==": {"left": left, "right": right}} | {"!=": {"left": left, "right": right}}:
            for one, other in ((left, right), (right, left)):
                match one, other:
                    case {".": {"left": {".": {"attr": "labels"}}}}, {"Value": str(text)}:
                        if text not in [*Integrity]:
                            known = ", ".join(Integrity)
                            yield f"no label is {json.dumps(text)}; there are {known}"
    members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in members:
        yield from _labels(each)


def _names_unknown(
    rule: Rule,
    catalog: Catalog,
    connections: Mapping[str, list[ActionSpec]],
    connectors: Mapping[str, str],
) -> Iterator[Finding]:
    for kind, name in sorted(entities(rule.body)):
        match kind:
            case "Operation" if catalog.get(name) is None:
                candidates_of = catalog.candidates(name, 1)
            case "Connection" if name not in connections:
                candidates_of = tuple(difflib.get_close_matches(name, connections, n=1))
            case "Connector" if name not in connectors.values():
                candidates_of = tuple(difflib.get_close_matches(name, connectors.values(), n=1))
            case _:
                continue
        meant = f"; did you mean {candidates_of[0]}?" if candidates_of else ""
        yield Finding(rule.file, rule.name, f"there is no {kind.lower()} {name}{meant}")


def _does_nothing(rule: Rule, covered: list[ActionSpec]) -> Iterator[Finding]:
    if not covered:
        yield Finding(rule.file, rule.name, "it covers no operation of the catalogue")
    if rule.role and f'"{rule.role}"' not in json.dumps(rule.body["conditions"]):
        wants = f'unless {{ context.approvals.contains("{rule.role}") }}'
        yield Finding(
            rule.file, rule.name, f"no approval by {rule.role} lifts it: it has no `{wants}`"
        )


def _overruled(rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """Policies that another one makes useless, where that can be seen without a solver."""
    said: dict[str, Rule] = {}
    always = [rule for rule in rules if rule.forbids and not rule.body["conditions"]]
    for rule in rules:
        text = json.dumps({**rule.body, "annotations": None}, sort_keys=True)
        if text in said:
            yield Finding(rule.file, rule.name, f"{said[text].where} says the same")
        said.setdefault(text, rule)
        for other in always:
            if other is not rule and _is_within(rule, other):
                yield Finding(rule.file, rule.name, f"{other.where} forbids all of it anyway")
                break


def _is_within(rule: Rule, other: Rule) -> bool:
    """Whether the head of another policy matches whatever this one's does."""
    return all(
        other.body[part] == {"op": "All"} or other.body[part] == rule.body[part]
        for part in ("principal", "action", "resource")
    )
