"""Places of a plan, chosen at random."""

import random
from typing import Any

Rng = random.Random


def steps_of(plan: dict[str, Any]) -> list[Any]:
    found: list[Any] = plan.get("steps", [])
    return found


def some_step(plan: dict[str, Any], rng: Rng) -> Any:
    return rng.choice(steps_of(plan))


def some_argument(plan: dict[str, Any], rng: Rng, kind: str = "") -> Any:
    args = [
        arg for step in steps_of(plan) for arg in step.get("args", []) if not kind or kind in arg
    ]
    return rng.choice(args)


def references(plan: dict[str, Any]) -> list[tuple[Any, str]]:
    found = []
    for step in steps_of(plan):
        for arg in step.get("args", []):
            found += [(each, "ref") for each in (arg, *arg.get("text", [])) if "ref" in each]
        found += [(step, "each")] if step.get("each") else []
        for cond in [*step.get("when", []), *step.get("expect", [])]:
            found += [(cond, name) for name in ("left", "lhs", "rhs", "subject") if name in cond]
    found += [(arg, "ref") for arg in plan.get("answer", []) if "ref" in arg]
    return found
