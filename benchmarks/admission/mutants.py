"""`python -m benchmarks.admission.mutants --count 100000`: broken plans, judged by an oracle.

Accepted plans of the language's suite, and with `--data` of the data sets, are broken in one of
many known ways. What admission says of each is held against the oracle, which shares no code
with it: both must find the same codes. Codes of labels are left out, for they depend on words.
A mutation may leave a plan valid; such plans are counted apart, and must be accepted.

They are made in chunks, each from a random generator of its own, and a line on stderr says how
far it is: `--seed` and `--count` name the same mutants however many processes share the chunks.
"""

import argparse
import copy
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from benchmarks.admission.__main__ import data_sets
from benchmarks.admission.judge import CALLER, TODAY
from benchmarks.admission.oracle import codes_of
from benchmarks.admission.oracle.examples import examples
from benchmarks.admission.oracle.schemas import Node
from benchmarks.given import folder_with
from connectors.catalog import Catalog
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, admit
from executor.check.bulk import read_catalog
from executor.check.parse import parse_plan
from executor.fn import FUNCTIONS
from executor.plan.model import Plan

_DATA = folder_with("agentdojo_banking_tools.json")

SUITE = Path(__file__).parents[2] / "tests" / "suite"
OF_LABELS = frozenset(
    "ungrounded-target tainted-argument private-to-open effect-before-check".split()
)
# The oracle reads schemas without these.
_UNREAD = ("$ref", "allOf", "patternProperties", "not", "if", "dependentRequired")
_PER_SET = 200
CHUNK = 2_000  # mutants that are made together
UNBROKEN = "none: the plans themselves"
Rng = random.Random


@dataclass(frozen=True)
class Seed:
    """An accepted plan and what it was admitted with."""

    name: str
    plan: dict[str, Any]
    catalog: Catalog
    request: str = ""
    inputs_schema: Node = field(default_factory=dict)
    inputs: Node = field(default_factory=dict)

    @cached_property
    def actions(self) -> dict[str, tuple[Node, Node | None]]:
        """The declared schemas of everything that may be called."""
        functions = (each.action for each in FUNCTIONS.values() if each.takes is None)
        known = [*self.catalog, *functions]
        return {each.name: (each.input_schema, each.output_schema) for each in known}

    @cached_property
    def context(self) -> AdmissionContext:
        """What admission is told besides the plan."""
        return AdmissionContext(
            request=self.request,
            inputs=Inputs(self.inputs_schema, self.inputs),
            catalog=self.catalog,
            policy=None,
            principal=CALLER,
            today=TODAY,
            seal_key=b"k" * 32,
        )


def suite_seeds() -> Iterator[Seed]:
    """The accepted plans of the suite that need no policy."""
    catalog = read_catalog((SUITE / "catalogs" / "shop.json").read_text())
    for path in sorted(SUITE.glob("*.json")):
        for case in json.loads(path.read_text())["cases"]:
            given = case.get("given", {})
            if (
                not case.get("accepted")
                or "plan" not in case
                or given.keys() - {"request", "inputs"}
            ):
                continue
            inputs = given.get("inputs", {})
            yield Seed(
                f"{path.stem}: {case['name']}",
                case["plan"].get("plan", case["plan"]),
                catalog,
                given.get("request", ""),
                inputs.get("schema", {}),
                inputs.get("values", {}),
            )


def data_seeds(data: Path) -> Iterator[Seed]:
    """Some of the plans of every data set that are expected to be accepted."""
    for each in data_sets():
        fitting = (
            Seed(f"{each.name}: {case.id}", case.plan, case.catalog, case.request)
            for case in each.load(data)
            if case.expected == "accept" and case.plan is not None and not case.inputs
        )
        for _, seed in zip(range(_PER_SET), fitting, strict=False):
            used = [seed.actions[step["action"]] for step in _steps(seed.plan)]
            if not any(f'"{word}":' in json.dumps(used) for word in _UNREAD):
                yield seed


@dataclass
class Tally:
    """What became of the mutants of one kind."""

    n: int = 0
    refused: int = 0
    with_own: int = 0  # of the refused, with the code that the kind is named for
    valid: int = 0
    disagree: list[tuple[str, str, set[str], set[str]]] = field(default_factory=list)


def run(seeds: list[Seed], count: int, rng: Rng) -> dict[str, Tally]:
    """Break plans and judge them until there are `count` of them."""
    tallies = {kind: Tally() for kind in MUTATIONS}
    groups: dict[str, list[Seed]] = {}
    for seed in seeds:
        groups.setdefault(seed.name.partition(":")[0], []).append(seed)
    done = 0
    while done < count:
        kind = rng.choice([*MUTATIONS])
        seed = rng.choice(groups[rng.choice([*groups])])
        text = mutant(seed, kind, rng)
        if text is None:
            continue
        done += 1
        judge(seed, kind, text, tallies[kind])
    return tallies


def unbroken(seeds: list[Seed]) -> Tally:
    """Judge the plans themselves."""
    tally = Tally()
    for seed in seeds:
        judge(seed, UNBROKEN, json.dumps(seed.plan), tally)
    return tally


def mutant(seed: Seed, kind: str, rng: Rng) -> str | None:
    """The text of a broken plan; None where this kind has nothing to break."""
    plan = copy.deepcopy(seed.plan)
    if not _steps(plan):
        return None
    try:
        found = MUTATIONS[kind][0](plan, seed, rng)
    except (IndexError, KeyError):
        return None  # there is nothing of the sort to choose from
    if found is None:
        found = json.dumps(plan)
    return found if found != json.dumps(seed.plan) else None


def judge(seed: Seed, kind: str, text: str, tally: Tally) -> None:
    """Hold what admission says against what the oracle says."""
    said = _said(seed, text)
    deserved = codes_of(text, seed.actions, seed.inputs_schema)
    tally.n += 1
    if said != deserved:
        tally.disagree.append((seed.name, text, said, deserved))
    elif said:
        tally.refused += 1
        tally.with_own += kind in MUTATIONS and bool(said & MUTATIONS[kind][1])
    else:
        tally.valid += 1


def _said(seed: Seed, text: str) -> set[str]:
    plan = parse_plan(text)
    if not isinstance(plan, Plan):
        return {str(each.code) for each in plan}
    match admit(plan, seed.context):
        case Rejected(violations=found):
            return {str(each.code) for each in found} - OF_LABELS
        case _:
            return set()


# Mutations: each breaks a plan in place, or gives its text.


def _steps(plan: dict[str, Any]) -> list[Any]:
    found: list[Any] = plan.get("steps", [])
    return found


def _step(plan: dict[str, Any], rng: Rng) -> Any:
    return rng.choice(_steps(plan))


def _any_arg(plan: dict[str, Any], rng: Rng, kind: str = "") -> Any:
    args = [arg for step in _steps(plan) for arg in step.get("args", []) if not kind or kind in arg]
    return rng.choice(args)


def _ref_holders(plan: dict[str, Any]) -> list[tuple[Any, str]]:
    found = []
    for step in _steps(plan):
        for arg in step.get("args", []):
            found += [(each, "ref") for each in (arg, *arg.get("text", [])) if "ref" in each]
        found += [(step, "each")] if step.get("each") else []
        for cond in [*step.get("when", []), *step.get("expect", [])]:
            found += [(cond, name) for name in ("left", "lhs", "rhs", "subject") if name in cond]
    found += [(arg, "ref") for arg in plan.get("answer", []) if "ref" in arg]
    return found


def _unknown_action(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = _step(plan, rng)
    name = step["action"]
    place = rng.randrange(len(name))
    step["action"] = rng.choice(
        [name[:place] + name[place + 1 :], name + "s", name.upper(), "fn.evaluate", "", name[::-1]]
    )


def _another_action(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    _step(plan, rng)["action"] = rng.choice([*seed.actions])


def _dropped_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in _steps(plan) if step.get("args")])
    step["args"].pop(rng.randrange(len(step["args"])))


def _extra_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    to = rng.choice(["surplus", "Id", "0", "/note", "a/b", "__proto__"])
    _step(plan, rng).setdefault("args", []).append({"value": "x", "to": to})


def _declared_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    """Bind what is declared and was left out, mostly by what fits there."""
    step = _step(plan, rng)
    declared = seed.actions[step["action"]][0].get("properties", {})
    bound = {arg["to"].split("/")[0] for arg in step.get("args", [])}
    name = rng.choice([each for each in declared if each not in bound])
    value = rng.choice(examples(declared[name]))
    arg = {"json": json.dumps(value)} if isinstance(value, dict | list) else {"value": value}
    step.setdefault("args", []).append(arg | {"to": name})


def _deeper_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    _any_arg(plan, rng)["to"] += rng.choice(["/0", "/x", "/", "/0/sku"])


def _wrong_literal(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng, "value")
    arg["value"] = rng.choice([None, True, 7, -3.5, "some text", "", "2026-02-30"])


def _wrong_constant(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng)
    to = arg["to"]
    text = rng.choice(["[]", "{}", "[1]", '["a"]', '{"a": 1}', '[{"a": null}]', "3"])
    arg.clear()
    arg.update({"json": text, "to": to})


def _literal_for_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng, "ref")
    arg.pop("ref")
    arg["value"] = rng.choice([None, False, 7, 2.5, "some text", "paid"])


def _dangling_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(_ref_holders(plan))
    rest = holder[name].partition("/")[2]
    root = rng.choice(["nobody", "steps", "", "Input", "result", "each", "each_item", "fn"])
    holder[name] = f"{root}/{rest}" if rest else root


def _other_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(_ref_holders(plan))
    holder[name] = rng.choice([step["id"] for step in _steps(plan)] + ["input", "input/today"])


def _circle(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = _step(plan, rng)
    later = rng.choice([each["id"] for each in _steps(plan)])
    match rng.randrange(3):
        case 0:
            step.setdefault("after", []).append(later)
        case 1:
            rng.choice([arg for arg in step.get("args", []) if "ref" in arg])["ref"] = later
        case _:
            cond = {"left": later, "op": "exists", "value": True}
            step.setdefault("when", []).append(cond)


def _bad_path(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(_ref_holders(plan))
    tokens = holder[name].split("/")
    token = rng.choice(["nothing", "0", "-1", "01", "length", "id", "", "~1"])
    if rng.random() < 0.5 or len(tokens) == 1:
        tokens.append(token)
    else:
        tokens[rng.randrange(1, len(tokens))] = token
    holder[name] = "/".join(tokens)


def _bad_field(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    places = ("field", "by", "key")
    args = [
        arg
        for step in _steps(plan)
        for arg in step.get("args", [])
        if "value" in arg and arg["to"].split("/")[-1] in places
    ]
    rng.choice(args)["value"] = rng.choice(["nothing", "*/x", "lines/0", "id", "", "customer/name"])


def _bad_clause(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    args = [arg for step in _steps(plan) for arg in step.get("args", [])]
    clauses = [arg["to"].rpartition("/")[0] for arg in args if arg["to"].endswith("/op")]
    clause = rng.choice(clauses)
    op = rng.choice(["<", ">=", "matches", "exists", "in", "~", "!="])
    value = rng.choice([True, None, 7, "7", "paid", "(", "2026-01-31"])
    for arg in args:
        if arg["to"] == f"{clause}/op":
            arg.update({"value": op})
        elif arg["to"] == f"{clause}/value" and "value" in arg and rng.random() < 0.8:
            arg.update({"value": value})


def _duplicate_id(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    one = _step(plan, rng)
    other = rng.choice([step["id"] for step in _steps(plan) if step is not one] + ["fn"])
    one["id"] = other


def _repeated_step(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    plan["steps"].append(copy.deepcopy(_step(plan, rng)))


def _overlapping(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in _steps(plan) if step.get("args")])
    arg = copy.deepcopy(rng.choice(step["args"]))
    arg["to"] = rng.choice([arg["to"], arg["to"].rpartition("/")[0], arg["to"] + "/0"])
    step["args"].insert(rng.randrange(len(step["args"]) + 1), arg)


def _sparse(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    args = [arg for step in _steps(plan) for arg in step.get("args", [])]
    args += plan.get("answer", [])
    indexed = [arg for arg in args if any(part.isdigit() for part in arg["to"].split("/"))]
    arg = rng.choice(indexed)
    parts = arg["to"].split("/")
    place = rng.choice([n for n, part in enumerate(parts) if part.isdigit()])
    parts[place] = str(int(parts[place]) + rng.choice([1, 2, 40]))
    arg["to"] = "/".join(parts)


def _sparse_answer(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    places = rng.choice([("0", "2"), ("list/1",), ("a", "a/b"), ("0", "1"), ("x/0", "x/0")])
    plan["answer"] = [{"value": 1, "to": to} for to in places]


def _each_over(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    refs = [holder[name] for holder, name in _ref_holders(plan)]
    _step(plan, rng)["each"] = rng.choice([*refs, "input/today", "input", _step(plan, rng)["id"]])


def _bad_operator(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = _step(plan, rng)
    op = rng.choice(["=", "<>", "in", "not", "", "contains", None])
    ref = rng.choice(["input/today", step["id"]])
    step.setdefault("when", []).append({"left": ref, "op": op, "value": 1})


def _incomparable(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = _step(plan, rng)
    others = [each["id"] for each in _steps(plan) if each is not step]
    refs = [holder[name] for holder, name in _ref_holders(plan) if holder[name] != "result"]
    left = rng.choice([*others, *refs, "input/today"])
    cond = rng.choice(
        [
            {"left": left, "op": rng.choice("<>"), "value": rng.choice([True, None, 5, "x", "7"])},
            {"left": left, "op": "matches", "value": rng.choice(["(", "^a", 7, "x" * 201])},
            {"left": left, "op": "exists", "value": rng.choice([True, "yes", 1])},
            {"lhs": left, "op": rng.choice(["<=", ">=", "matches"]), "rhs": "input/today"},
        ]
    )
    step.setdefault(rng.choice(["when", "expect"]), []).append(cond)


def _huge_number(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    arg = _any_arg(plan, rng, "value")
    arg["value"] = "@@"
    number = rng.choice(
        ["9007199254740992", "-9007199254740993", "1e999", "1e300", "NaN", "-Infinity"]
    )
    return json.dumps(plan).replace('"@@"', number)


def _bad_json(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng)
    to = arg["to"]
    texts = [
        '{"a": 1, "a": 2}',
        "{",
        "",
        "[1,]",
        "[NaN]",
        "[1e999]",
        '{"a": 9007199254740993}',
        "'a'",
    ]
    arg.clear()
    arg.update({"json": rng.choice(texts), "to": to})


def _two_forms(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng)
    name, value = rng.choice([("ref", "input"), ("value", 1), ("text", []), ("lit", "x")])
    if name in arg:
        raise IndexError
    arg[name] = value


def _unknown_member(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([plan, _step(plan, rng), _any_arg(plan, rng)])
    holder[rng.choice(["retries", "approved", "timeout_s", "Action", "label", "$ref"])] = True


def _lost_member(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([_step(plan, rng), _any_arg(plan, rng)])
    del holder[rng.choice([*holder])]


def _wrong_shape(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([plan, _step(plan, rng), _any_arg(plan, rng)])
    holder[rng.choice([*holder])] = rng.choice([None, 7, "x", {}, True, ["x"], [[]]])


def _broken_text(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    text = json.dumps(plan)
    place = rng.randrange(1, len(text))
    return rng.choice([text[:place], text + "}", text.replace(":", "=", 1), "```json\n" + text])


def _member_twice(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    return json.dumps(plan)[:-1] + ', "steps": []}'


def _too_many_steps(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = _step(plan, rng)
    for number in range(rng.choice([50, 60, 250])):
        plan["steps"].append(copy.deepcopy(step) | {"id": f"again_{number}"})


def _text_around(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = _any_arg(plan, rng, "ref")
    ref = arg.pop("ref")
    arg["text"] = [{"lit": "about "}, {"ref": rng.choice([ref, ref.split("/")[0]])}]


def _swapped(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in _steps(plan) if len(step.get("args", [])) > 1])
    one, other = rng.sample(step["args"], 2)
    one["to"], other["to"] = other["to"], one["to"]


Mutation = Callable[[dict[str, Any], Seed, Rng], str | None]
_STEP, _TYPE = frozenset({"unknown-step"}), frozenset({"type-mismatch", "not-a-list"})
_SHAPE = frozenset({"unknown-field"})
MUTATIONS: dict[str, tuple[Mutation, frozenset[str]]] = {
    "unknown action": (_unknown_action, frozenset({"unknown-action"})),
    "another action": (
        _another_action,
        frozenset({"unknown-argument", "missing-argument", "unknown-path"}) | _TYPE,
    ),
    "argument dropped": (_dropped_argument, frozenset({"missing-argument", "sparse-array"})),
    "argument added": (_extra_argument, frozenset({"unknown-argument"})),
    "declared argument added": (_declared_argument, _TYPE),
    "argument below another's place": (_deeper_argument, frozenset({"unknown-argument"}) | _TYPE),
    "literal of another type": (_wrong_literal, _TYPE),
    "constant for an argument": (_wrong_constant, _TYPE),
    "literal for a reference": (_literal_for_reference, _TYPE),
    "text around a reference": (_text_around, _TYPE),
    "two places swapped": (_swapped, _TYPE),
    "dangling reference": (_dangling_reference, _STEP),
    "another reference": (_other_reference, _TYPE | {"cycle"}),
    "circle": (_circle, frozenset({"cycle"})),
    "bad path": (_bad_path, frozenset({"unknown-path"})),
    "bad field of a function": (_bad_field, frozenset({"unknown-path"})),
    "bad clause of a function": (_bad_clause, _TYPE | {"not-comparable"}),
    "duplicate id": (_duplicate_id, frozenset({"duplicate-id"})),
    "step repeated": (_repeated_step, frozenset({"duplicate-id"})),
    "overlapping places": (_overlapping, frozenset({"overlapping-argument"})),
    "sparse places": (_sparse, frozenset({"sparse-array", "unknown-argument"})),
    "answer's places": (_sparse_answer, frozenset({"sparse-array", "overlapping-argument"})),
    "each over anything": (_each_over, frozenset({"not-a-list", "cycle", "unknown-path"})),
    "bad operator": (_bad_operator, _SHAPE),
    "incomparable": (_incomparable, frozenset({"not-comparable"})),
    "number out of range": (_huge_number, frozenset({"number-out-of-range", "malformed-json"})),
    "unreadable json": (
        _bad_json,
        frozenset({"malformed-json", "duplicate-key", "number-out-of-range"}),
    ),
    "two forms at once": (_two_forms, _SHAPE),
    "unknown member": (_unknown_member, _SHAPE),
    "member lost": (_lost_member, _SHAPE),
    "member of another shape": (_wrong_shape, _SHAPE),
    "broken text": (_broken_text, frozenset({"malformed-json"})),
    "member twice": (_member_twice, frozenset({"duplicate-key"})),
    "too many steps": (_too_many_steps, frozenset({"budget-exceeded"})),
}


def seeds_of(data: Path | None) -> list[Seed]:
    """Every plan to start from, as far as it is accepted.

    The oracle knows neither playbooks nor `fn.typed`: those plans have properties of their own.
    """
    found = [*suite_seeds(), *(data_seeds(data) if data else ())]
    return [
        seed
        for seed in found
        if all(each["action"] in seed.actions for each in seed.plan.get("steps", []))
        and isinstance(plan := parse_plan(json.dumps(seed.plan)), Plan)
        and isinstance(admit(plan, seed.context), Accepted)
    ]


@lru_cache(1)
def _seeds(data: Path | None) -> list[Seed]:
    """The same in every chunk of a process."""
    return seeds_of(data)


def _work(given: tuple[Path | None, int, str]) -> dict[str, Tally]:
    data, count, rng = given
    if not count:
        return {UNBROKEN: unbroken(_seeds(data))}
    return run(_seeds(data), count, Rng(rng))


def _chunks(data: Path | None, count: int, seed: int) -> list[tuple[Path | None, int, str]]:
    """The plans themselves, and then so many mutants at a time."""
    mutants = [(data, min(CHUNK, count - at), f"{seed} {at}") for at in range(0, count, CHUNK)]
    return [(data, 0, ""), *mutants]


def main() -> None:
    """Print a table of kinds; exits with 1 on any disagreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="so many mutants")
    parser.add_argument("--data", type=_DATA, help="the folder with the data sets")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--processes", type=int, default=2, help="how many work at once")
    parser.add_argument("--show", type=int, default=3, help="show so many disagreements")
    options = parser.parse_args()
    start = time.monotonic()
    jobs = _chunks(options.data, options.count, options.seed)
    found = {kind: Tally() for kind in (UNBROKEN, *MUTATIONS)}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for part in pool.imap(_work, jobs):
            found |= {kind: _sum([found[kind], tally]) for kind, tally in part.items()}
            done = _sum([*found.values()])
            told = f"{done.n} plans, {len(done.disagree)} disagreements, {options.count} wanted"
            print(told, file=sys.stderr, flush=True)
    print(table(found))
    count = sum(found[kind].n for kind in MUTATIONS)
    took = time.monotonic() - start
    print(f"\n{count} mutants in {took:.0f} s, {1000 * took / max(count, 1):.2f} ms each")
    for kind, tally in found.items():
        for name, text, said, deserved in tally.disagree[: options.show]:
            codes = f"said {sorted(said)}, oracle {sorted(deserved)}"
            print(f"\n{kind}, {name}\n  {codes}\n  {text[:600]}")
    sys.exit(1 if any(each.disagree for each in found.values()) else 0)


def _sum(parts: list[Tally]) -> Tally:
    found = Tally()
    for each in parts:
        found.n += each.n
        found.refused += each.refused
        found.with_own += each.with_own
        found.valid += each.valid
        found.disagree += each.disagree
    return found


def table(tallies: dict[str, Tally]) -> str:
    """One line a kind of mutation, and the sum."""
    head = (
        "mutation",
        "n",
        "refused, right codes",
        "own code among them",
        "still valid",
        "disagree",
    )
    broken = [tally for kind, tally in tallies.items() if kind != UNBROKEN]
    lines = {**tallies, "all mutants": _sum(broken)}
    rows = [head] + [
        (kind, *map(str, (it.n, it.refused, it.with_own, it.valid, len(it.disagree))))
        for kind, it in lines.items()
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
