"""Whatever steps a plan passes it through, what it made up is never as good as what was said."""

import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.parse import plan_of
from executor.fn import FUNCTIONS
from executor.plan.model import Plan, Step
from executor.plan.refs import join_pointer
from executor.run.prepare import compute
from executor.run.resolve import Absent, ResolveError, Scope, bind, value_at
from executor.run.verdicts import Done

MADE_UP = "mallory-7"
ROW = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
OUTPUT = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": ROW},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
READ = {
    "name": "box.read", "effect": "read", "reads_as": "trusted", "egress": False,
    "input_schema": {"type": "object"}, "output_schema": OUTPUT,
}  # fmt: skip
DROP = {
    "name": "box.drop", "effect": "blind", "approval": None, "egress": False,
    "sinks": {"what": "recipient"},
    "input_schema": {"type": "object", "properties": {"what": {}}, "required": ["what"]},
}  # fmt: skip
CATALOG = Catalog([ActionSpec.model_validate(each) for each in (READ, DROP)])
CONTEXT = AdmissionContext(
    "drop it", Inputs(), CATALOG, None, Principal("u", "t"), "2026-03-02", b"key"
)
WAS_READ = {"rows": [{"id": "r1", "n": 1}, {"id": "r2", "n": 2}], "map": {"k1": "m1", "k2": "m2"}}
SCHEMAS: list[Any] = [{}, {"enum": [MADE_UP]}, {"items": {"const": MADE_UP}}, {"type": "string"}]
CLAUSES = [
    {"field": field, "op": op, "value": value}
    for field in ("", "id", "n", "*")
    for op, value in (("==", MADE_UP), ("!=", MADE_UP), ("in", ["r1", MADE_UP]), ("exists", True))
]


OTHER = "trent-9"  # as made up as the other, and there as well
NAMED = {
    "rows": [{"id": MADE_UP, "n": 1}, {"id": OTHER, "n": 2}],
    "map": {MADE_UP: "m1", OTHER: "m2"},
}
NAMING = [
    {},
    {"properties": {MADE_UP: {}}},
    {"items": {"properties": {"id": {"enum": [MADE_UP, OTHER]}}}},
]


def made_up(rng: random.Random, depth: int = 0) -> Any:
    match rng.randrange(3 if depth == 3 else 6):
        case 0 | 1:
            return MADE_UP
        case 2:
            return rng.choice([1, True, None, "drop"])
        case 3:
            return [made_up(rng, depth + 1) for _ in range(rng.randrange(3))]
        case _:
            return {rng.choice([MADE_UP, "a", "id"]): made_up(rng, depth + 1)}


def places(value: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield at, value
    members = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        members = ((str(index), each) for index, each in enumerate(value))
    for token, each in members:
        yield from places(each, (*at, token))


def constant(value: Any, to: str) -> dict[str, Any]:
    return {"json": json.dumps(value), "to": to} if isinstance(value, dict | list) else {
        "value": value, "to": to
    }  # fmt: skip


def an_argument(rng: random.Random, known: dict[str, Any], to: str, kind: type) -> dict[str, Any]:
    """What there is already, or something that is made up."""
    there = [at for name, it in known.items() for at, v in places(it, (name,)) if type(v) is kind]
    if there and rng.random() < 0.6:
        return {"ref": join_pointer(rng.choice(there)), "to": to}
    drawn = (made_up(rng) for _ in range(20))
    return constant(next((each for each in drawn if type(each) is kind), kind()), to)


def a_step(rng: random.Random, known: dict[str, Any], name: str) -> dict[str, Any]:
    def arg(to: str, kind: type) -> dict[str, Any]:
        return an_argument(rng, known, to, kind)

    kind = rng.choice([str, list, dict])
    where = constant([rng.choice(CLAUSES)], "where")
    by = constant(rng.choice(["", "id", "n"]), "by")
    key = rng.choice([constant(rng.choice([MADE_UP, "a", "k1"]), "key"), arg("key", str)])
    mark = rng.choice([[], [constant("", "separator")], [constant(MADE_UP, "separator")]])
    args: dict[str, list[dict[str, Any]]] = {
        "typed": [arg("value", kind), constant(rng.choice(SCHEMAS), "schema")],
        "keys": [rng.choice([arg("map", dict), constant(True, f"map/{MADE_UP}")])],
        "values": [arg("map/a", kind), arg(f"map/{MADE_UP}", kind)],
        "select": [arg("list", list), where],
        "filter": [arg("list", list), where],
        "sort": [arg("list", list), by],
        "max_by": [arg("list", list), by],
        "pick": [arg("list", list), constant([rng.choice(["id", MADE_UP])], "fields")],
        "zip": [arg("left", list), arg("right", list)],
        "join": [arg("list/0", str), arg("list/1", str), *mark],
        "first_of": [arg("options/0", kind), arg("options/1", kind)],
        "lookup": [arg("map", dict), key],
    }
    action = rng.choice([*args])
    return {"id": name, "action": f"fn.{action}", "args": args[action]}


@given(st.integers(0, 2**48).map(random.Random))
def test_what_was_made_up_asks_for_an_approval_wherever_it_comes_out(rng: random.Random) -> None:
    steps: list[dict[str, Any]] = [{"id": "read", "action": "box.read"}]
    known: dict[str, Any] = {"read": WAS_READ}
    for number in range(rng.randint(1, 5)):
        step = a_step(rng, known, f"s{number}")
        done = _computed(Step.model_validate_json(json.dumps(step)), known)
        if done is not None:
            steps.append(step)
            known[f"s{number}"] = done.output
    for name, output in known.items():
        for at, value in places(output, (name,)):
            if MADE_UP in json.dumps(value):
                drop = {"ref": join_pointer(at), "to": "what"}
                label = _label([*steps, {"id": "drop", "action": "box.drop", "args": [drop]}])
                assert label is None or not label.at_least(Integrity.TRUSTED), (steps, at)


def a_choice(rng: random.Random, known: dict[str, Any], name: str) -> dict[str, Any]:
    """A step that passes on what there is, or finds some of it by what was made up."""

    def there(to: str, kind: type) -> dict[str, Any]:
        found = [
            at for name, it in known.items() for at, v in places(it, (name,)) if type(v) is kind
        ]
        return {"ref": join_pointer(rng.choice(found)), "to": to}

    where = constant(
        [{"field": rng.choice(["id", "", "*"]), "op": "==", "value": MADE_UP}], "where"
    )
    kind = rng.choice([list, dict])
    args: dict[str, list[dict[str, Any]]] = {
        "typed": [there("value", kind), constant(rng.choice(NAMING), "schema")],
        "first_of": [there("options/0", kind), there("options/1", rng.choice([kind, list, dict]))],
        "select": [there("list", list), where],
        "filter": [there("list", list), where],
        "values": [there("map", dict)],
        "lookup": [there("map", dict), constant(rng.choice(["rows", "map", MADE_UP]), "key")],
        "pick": [there("list", list), constant([rng.choice(["id", "map", MADE_UP])], "fields")],
        "sort": [there("list", list), constant("id", "by")],
        "zip": [there("left", list), there("right", list)],
    }
    action = rng.choice([*args])
    return {"id": name, "action": f"fn.{action}", "args": args[action]}


@given(st.integers(0, 2**48).map(random.Random))
def test_whatever_the_plan_makes_up_names_nothing_that_is_called_trusted(
    rng: random.Random,
) -> None:
    steps: list[dict[str, Any]] = [{"id": "read", "action": "box.read"}]
    known: dict[str, Any] = {"read": NAMED}
    for number in range(rng.randint(1, 5)):
        step = a_choice(rng, known, f"s{number}")
        done = _computed(Step.model_validate_json(json.dumps(step)), known)
        if done is not None:
            steps.append(step)
            known[f"s{number}"] = done.output
    renamed: dict[str, Any] = {"read": NAMED}
    for step in steps[1:]:
        done = _computed(Step.model_validate_json(_swapped(json.dumps(step))), renamed)
        if done is None:
            return  # a run that ends does nothing
        renamed[step["id"]] = done.output
    for at, value in [each for name, it in known.items() for each in places(it, (name,))]:
        ref = join_pointer(at)
        other = value_at(Scope({}, renamed), _swapped(ref))
        drop = {"ref": ref, "to": "what"}
        label = _label([*steps, {"id": "drop", "action": "box.drop", "args": [drop]}])
        if label is not None and label.at_least(Integrity.TRUSTED):
            assert isinstance(other, Absent) or other == value, (steps, at)


def _swapped(text: str) -> str:
    """The same with the other made-up word."""
    return OTHER.join(each.replace(OTHER, MADE_UP) for each in text.split(MADE_UP))


def _computed(step: Step, known: dict[str, Any]) -> Done | None:
    scope = Scope({}, known)
    try:
        found = compute(step, bind(step, scope, FUNCTIONS[step.action].input_schema), scope)
    except ResolveError:
        return None
    return found if isinstance(found, Done) else None


def _label(steps: list[dict[str, Any]]) -> Integrity | None:
    """The label of what is dropped; none where the plan is refused."""
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan), plan
    verdict = admit(plan, CONTEXT)
    if not isinstance(verdict, Accepted):
        return None
    return verdict.certificate.of("drop").labels["what"].integrity
