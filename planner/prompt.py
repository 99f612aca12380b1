"""What a model is told: the language in a few words, the actions on offer, the request as data.

Nothing that any action ever returned is in it: a plan is fixed before the first untrusted
byte is read, and these messages are the only thing that a plan is made from.
"""

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from planner.models.base import Message
from planner.request import PlanRequest

_RULES = """\
You turn a request into one JSON plan and answer with that JSON alone.

{"understanding": str, "assumptions": [{"text", "quote"}], "questions": [{"about", "ask", "options"}],
 "unable": str or null, "steps": [Step], "answer": [Arg]}
Step {"id", "why", "action", "args": [Arg], "each": ref or null, "when": [Cond], "expect": [Cond], "after": [id]}
Arg  {"ref", "to"} | {"value", "to"} | {"text": [{"lit"} | {"ref"}], "to"} | {"json", "to"}
Cond {"left", "op", "value"} | {"lhs", "op", "rhs"} | {"subject", "op": "in", "list"}
     op: == != < <= > >= matches exists; all conditions of a list must hold

- `action` is one of the actions below, spelled exactly so. Never invent one.
- `ref` is a step's id or `input`, then a path: "order/lines/0/sku". `to` is a path in the arguments.
- A reference makes a step wait for the other; independent steps run side by side. `after` adds an order.
- Never compute or copy values yourself: refer to them. Choose from lists with fn.select
  (args list, where/0/field, where/0/op, where/0/value).
- `expect` says what must hold of a step's result: left "result/..." .
- What the request does not say and no action can find out is asked in `questions`; then `steps` is empty.
- What no action can do is said in `unable`; then `steps` is empty.
- Amounts, recipients and ids come from the request or from results, never from you.
- You write no approvals, retries, keys or credentials: they are added where they are needed.

Example of a step: {"id": "line", "why": "the damaged piece", "action": "fn.select", "args": [
 {"ref": "order/lines", "to": "list"}, {"value": "name", "to": "where/0/field"},
 {"value": "==", "to": "where/0/op"}, {"value": "vase", "to": "where/0/value"}],
 "each": null, "when": [], "expect": [], "after": []}
"""


def first_messages(request: PlanRequest, actions: Iterable[ActionSpec]) -> list[Message]:
    """The conversation's beginning: rules, actions, request."""
    offered = "\n".join(_action(each) for each in actions)
    functions = "\n".join(
        f"{name}({_members(each.input_schema)}): {each.description}"
        for name, each in FUNCTIONS.items()
    )
    system = f"{_RULES}\nActions:\n{offered}\n\nPure functions:\n{functions}\n"
    asked: dict[str, JsonValue] = {"request": request.text, "today": request.today}
    if request.answers:
        asked["answers"] = dict(request.answers)
    if request.inputs:
        asked["inputs"] = request.inputs
    user = "The request, as data:\n" + json.dumps(asked, ensure_ascii=False, indent=1)
    return [Message("system", system), Message("user", user)]


def repair_messages(text: str, violations: Iterable[Violation]) -> list[Message]:
    """What a refused draft is answered with: every reason at once."""
    reasons = [json.dumps(each.as_json(), ensure_ascii=False) for each in violations]
    told = "The plan was refused. Every reason, with its place in the plan:\n" + "\n".join(reasons)
    again = f"{told}\nAnswer with the whole corrected plan, as JSON alone."
    return [Message("assistant", text), Message("user", again)]


def _action(action: ActionSpec) -> str:
    output = action.output_schema or {}
    result = _shape(output, output) if output else "any"
    kind = "read" if not action.is_write else "write"
    return f"{action.name}({_members(action.input_schema)}) -> {result}  [{kind}] {_line(action)}"


def _line(action: ActionSpec) -> str:
    return " ".join(action.description.split())[:200]


def _members(schema: JsonObject) -> str:
    properties = schema.get("properties")
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    return ", ".join(
        f"{name}{'' if name in needed else '?'}: {_shape(found, schema)}"
        for name, found in (properties.items() if isinstance(properties, dict) else ())
    )


def _shape(node: JsonValue, root: Mapping[str, JsonValue], depth: int = 0) -> str:
    """A schema in a few characters, three levels deep."""
    if not isinstance(node, dict) or depth > 3:
        return "any"
    if isinstance(ref := node.get("$ref"), str):
        shared = root.get("$defs")
        found = shared.get(ref.rpartition("/")[2]) if isinstance(shared, dict) else None
        return _shape(found, root, depth + 1)
    if isinstance(values := node.get("enum"), list):
        return "|".join(json.dumps(each) for each in values[:12])
    if isinstance(properties := node.get("properties"), dict):
        inner = ", ".join(f"{k}: {_shape(v, root, depth + 1)}" for k, v in properties.items())
        return "{" + inner + "}"
    if "items" in node:
        return f"[{_shape(node['items'], root, depth + 1)}]"
    kind = node.get("type", "any")
    return str(node.get("format") or (kind if isinstance(kind, str) else "any"))
