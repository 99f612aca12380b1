"""Mutations of what a plan calls, and of what flows where: each breaks it in place."""

import json
from typing import Any

from benchmarks.admission.mutations.parts import Rng, references, some_argument, some_step, steps_of
from benchmarks.admission.oracle.examples import examples
from benchmarks.admission.seeds import Seed


def unknown_action(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = some_step(plan, rng)
    name = step["action"]
    place = rng.randrange(len(name))
    step["action"] = rng.choice(
        [name[:place] + name[place + 1 :], name + "s", name.upper(), "fn.evaluate", "", name[::-1]]
    )


def another_action(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    some_step(plan, rng)["action"] = rng.choice([*seed.actions])


def dropped_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in steps_of(plan) if step.get("args")])
    step["args"].pop(rng.randrange(len(step["args"])))


def extra_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    to = rng.choice(["surplus", "Id", "0", "/note", "a/b", "__proto__"])
    some_step(plan, rng).setdefault("args", []).append({"value": "x", "to": to})


def declared_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    """Bind what is declared and was left out, mostly by what fits there."""
    step = some_step(plan, rng)
    declared = seed.actions[step["action"]][0].get("properties", {})
    bound = {arg["to"].split("/")[0] for arg in step.get("args", [])}
    name = rng.choice([each for each in declared if each not in bound])
    value = rng.choice(examples(declared[name]))
    arg = {"json": json.dumps(value)} if isinstance(value, dict | list) else {"value": value}
    step.setdefault("args", []).append(arg | {"to": name})


def deeper_argument(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    some_argument(plan, rng)["to"] += rng.choice(["/0", "/x", "/", "/0/sku"])


def wrong_literal(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng, "value")
    arg["value"] = rng.choice([None, True, 7, -3.5, "some text", "", "2026-02-30"])


def wrong_constant(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng)
    to = arg["to"]
    text = rng.choice(["[]", "{}", "[1]", '["a"]', '{"a": 1}', '[{"a": null}]', "3"])
    arg.clear()
    arg.update({"json": text, "to": to})


def literal_for_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng, "ref")
    arg.pop("ref")
    arg["value"] = rng.choice([None, False, 7, 2.5, "some text", "paid"])


def dangling_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(references(plan))
    rest = holder[name].partition("/")[2]
    root = rng.choice(["nobody", "steps", "", "Input", "result", "each", "each_item", "fn"])
    holder[name] = f"{root}/{rest}" if rest else root


def other_reference(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(references(plan))
    holder[name] = rng.choice([step["id"] for step in steps_of(plan)] + ["input", "input/today"])


def circle(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = some_step(plan, rng)
    later = rng.choice([each["id"] for each in steps_of(plan)])
    match rng.randrange(3):
        case 0:
            step.setdefault("after", []).append(later)
        case 1:
            rng.choice([arg for arg in step.get("args", []) if "ref" in arg])["ref"] = later
        case _:
            cond = {"left": later, "op": "exists", "value": True}
            step.setdefault("when", []).append(cond)


def bad_path(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder, name = rng.choice(references(plan))
    tokens = holder[name].split("/")
    token = rng.choice(["nothing", "0", "-1", "01", "length", "id", "", "~1"])
    if rng.random() < 0.5 or len(tokens) == 1:
        tokens.append(token)
    else:
        tokens[rng.randrange(1, len(tokens))] = token
    holder[name] = "/".join(tokens)


def bad_field(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    places = ("field", "by", "key")
    args = [
        arg
        for step in steps_of(plan)
        for arg in step.get("args", [])
        if "value" in arg and arg["to"].split("/")[-1] in places
    ]
    rng.choice(args)["value"] = rng.choice(["nothing", "*/x", "lines/0", "id", "", "customer/name"])


def bad_clause(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    args = [arg for step in steps_of(plan) for arg in step.get("args", [])]
    clauses = [arg["to"].rpartition("/")[0] for arg in args if arg["to"].endswith("/op")]
    clause = rng.choice(clauses)
    op = rng.choice(["<", ">=", "matches", "exists", "in", "~", "!="])
    value = rng.choice([True, None, 7, "7", "paid", "(", "2026-01-31"])
    for arg in args:
        if arg["to"] == f"{clause}/op":
            arg.update({"value": op})
        elif arg["to"] == f"{clause}/value" and "value" in arg and rng.random() < 0.8:
            arg.update({"value": value})


def each_over(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    refs = [holder[name] for holder, name in references(plan)]
    some_step(plan, rng)["each"] = rng.choice(
        [*refs, "input/today", "input", some_step(plan, rng)["id"]]
    )


def incomparable(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = some_step(plan, rng)
    others = [each["id"] for each in steps_of(plan) if each is not step]
    refs = [holder[name] for holder, name in references(plan) if holder[name] != "result"]
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


def text_around(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng, "ref")
    ref = arg.pop("ref")
    arg["text"] = [{"lit": "about "}, {"ref": rng.choice([ref, ref.split("/")[0]])}]


def swapped(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in steps_of(plan) if len(step.get("args", [])) > 1])
    one, other = rng.sample(step["args"], 2)
    one["to"], other["to"] = other["to"], one["to"]
