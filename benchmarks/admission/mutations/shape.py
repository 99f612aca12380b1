"""Mutations of a plan's text, shape, ids and places: each breaks it in place, or gives its text."""

import copy
import json
from typing import Any

from benchmarks.admission.mutations.parts import Rng, some_argument, some_step, steps_of
from benchmarks.admission.seeds import Seed


def bad_operator(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = some_step(plan, rng)
    op = rng.choice(["=", "<>", "in", "not", "", "contains", None])
    ref = rng.choice(["input/today", step["id"]])
    step.setdefault("when", []).append({"left": ref, "op": op, "value": 1})


def huge_number(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    arg = some_argument(plan, rng, "value")
    arg["value"] = "@@"
    number = rng.choice(
        ["9007199254740992", "-9007199254740993", "1e999", "1e300", "NaN", "-Infinity"]
    )
    return json.dumps(plan).replace('"@@"', number)


def bad_json(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng)
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


def two_forms(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    arg = some_argument(plan, rng)
    name, value = rng.choice([("ref", "input"), ("value", 1), ("text", []), ("lit", "x")])
    if name in arg:
        raise IndexError
    arg[name] = value


def unknown_member(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([plan, some_step(plan, rng), some_argument(plan, rng)])
    holder[rng.choice(["retries", "approved", "timeout_s", "Action", "label", "$ref"])] = True


def lost_member(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([some_step(plan, rng), some_argument(plan, rng)])
    del holder[rng.choice([*holder])]


def wrong_shape(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    holder = rng.choice([plan, some_step(plan, rng), some_argument(plan, rng)])
    holder[rng.choice([*holder])] = rng.choice([None, 7, "x", {}, True, ["x"], [[]]])


def broken_text(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    text = json.dumps(plan)
    place = rng.randrange(1, len(text))
    return rng.choice([text[:place], text + "}", text.replace(":", "=", 1), "```json\n" + text])


def member_twice(plan: dict[str, Any], seed: Seed, rng: Rng) -> str:
    return json.dumps(plan)[:-1] + ', "steps": []}'


def too_many_steps(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = some_step(plan, rng)
    for number in range(rng.choice([50, 60, 250])):
        plan["steps"].append(copy.deepcopy(step) | {"id": f"again_{number}"})


def duplicate_id(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    one = some_step(plan, rng)
    other = rng.choice([step["id"] for step in steps_of(plan) if step is not one] + ["fn"])
    one["id"] = other


def repeated_step(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    plan["steps"].append(copy.deepcopy(some_step(plan, rng)))


def overlapping(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    step = rng.choice([step for step in steps_of(plan) if step.get("args")])
    arg = copy.deepcopy(rng.choice(step["args"]))
    arg["to"] = rng.choice([arg["to"], arg["to"].rpartition("/")[0], arg["to"] + "/0"])
    step["args"].insert(rng.randrange(len(step["args"]) + 1), arg)


def sparse(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    args = [arg for step in steps_of(plan) for arg in step.get("args", [])]
    args += plan.get("answer", [])
    indexed = [arg for arg in args if any(part.isdigit() for part in arg["to"].split("/"))]
    arg = rng.choice(indexed)
    parts = arg["to"].split("/")
    place = rng.choice([n for n, part in enumerate(parts) if part.isdigit()])
    parts[place] = str(int(parts[place]) + rng.choice([1, 2, 40]))
    arg["to"] = "/".join(parts)


def sparse_answer(plan: dict[str, Any], seed: Seed, rng: Rng) -> None:
    places = rng.choice([("0", "2"), ("list/1",), ("a", "a/b"), ("0", "1"), ("x/0", "x/0")])
    plan["answer"] = [{"value": 1, "to": to} for to in places]
