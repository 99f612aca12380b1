"""How rules say what they found."""

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from executor.check.binding import Binding
from executor.check.violation import Code, Violation
from executor.plan.model import Step
from executor.plan.types import Type, kinds

MOST_CANDIDATES = 8
# What may be a piece of a text.
PRINTABLE = Type.of({"type": ["string", "number", "integer", "boolean"]})


def say(
    code: Code,
    at: str,
    message: str,
    step: Step | None,
    candidates: Iterable[str] = (),
    fix: str = "",
) -> Violation:
    """A violation at a place of the plan."""
    names = tuple(candidates)[:MOST_CANDIDATES]
    return Violation(code, at, message, step.id if step else None, names, fix)


def violation_of(
    binding: Binding,
    code: Code,
    member: str,
    message: str,
    candidates: Iterable[str] = (),
    fix: str = "",
) -> Violation:
    """A violation at one argument, or at one of its members."""
    at = f"/steps/{binding.place}{binding.at}{member}"
    return say(code, at, message, binding.step, candidates, fix)


def shown(found: Type) -> str:
    """A type in a few words."""
    node: Mapping[str, JsonValue] = found.keywords
    if "const" in node:
        return _written(node["const"])
    if isinstance(node.get("enum"), list):
        return f"one of {_written(node['enum'])}"
    names = kinds(found)
    tag = f" ({node['format']})" if "format" in node else ""
    return (" or ".join(sorted(names)) if names else "any value") + tag


def _written(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
