"""Runs an accepted plan on sampled results: the same rules, said in another way."""

import random
import re
import unicodedata
from typing import Any

from connectors.spec import Sink
from connectors.validate import validator_of
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS, FnError
from executor.plan.graph import graph, order
from executor.plan.model import Step, ValueArg
from executor.plan.refs import refs_of_plan
from executor.run.resolve import ResolveError, Scope, bind, first_false, value_at


def oracle(accepted: Accepted, rng: random.Random, history: tuple[str, ...] = ()) -> None:
    """Run the plan on sampled results; says the same things in another way than admission."""
    plan = accepted.plan
    ids = {step.id for step in plan.steps}
    assert len(ids) == len(plan.steps)
    for step, use in refs_of_plan(plan):
        own = {"each", "each_item"} if step and step.each else set()
        assert use.ref.root in ids | own | {"input"} | (
            {"result"} if use.role == "expect" else set()
        )
    made_up = [step for step in plan.steps if writes_made_up_target(accepted, step, history)]
    assert all(accepted.certificate.of(step.id).approval for step in made_up), plan
    results: dict[str, Any] = {}
    for step_id in order(graph(plan)):
        step = next(each for each in plan.steps if each.id == step_id)
        try:
            result = result_of(accepted, step, results, rng)
        except (ResolveError, FnError) as error:
            if error.code == "type-mismatch" and not is_guarded(accepted, step):
                raise AssertionError(f"{error} in {plan}") from error
            continue
        if result is not SKIPPED:
            results[step_id] = result


SKIPPED = object()


def is_guarded(accepted: Accepted, step: Step) -> bool:
    return step.each is not None or any(
        guard.kind == "type" for guard in accepted.certificate.of(step.id).guards
    )


def writes_made_up_target(accepted: Accepted, step: Step, history: tuple[str, ...]) -> bool:
    """A literal that goes to a target of a write, and no word of which was ever said."""
    action = accepted.actions.get(step.action)
    if action is None or not action.is_write:
        return False
    said = [accepted.request, *history, str(accepted.inputs.values)]
    words = "\n".join(unicodedata.normalize("NFC", each).casefold() for each in said)
    targets = {at for at, sink in action.sinks.items() if sink not in (Sink.CONTENT, Sink.PLAIN)}
    for arg in step.args:
        if isinstance(arg, ValueArg) and arg.to in targets and isinstance(arg.value, str):
            text = unicodedata.normalize("NFC", arg.value).casefold()
            if len(text) > 2 and text not in words and not re.fullmatch(r"[0-9.,-]*", text):
                return True
    return False


def result_of(accepted: Accepted, step: Step, results: dict[str, Any], rng: random.Random) -> Any:
    """What one step gives, with its arguments checked by a real validator."""
    scope = Scope(accepted.inputs.values, results)
    refs = [use.ref.root for owner, use in refs_of_plan(accepted.plan) if owner is step]
    ids = {each.id for each in accepted.plan.steps}
    if step.action != "fn.first_of" and any(root in ids and root not in results for root in refs):
        return SKIPPED
    if step.each is None:
        return called(accepted, step, scope, rng)
    items = value_at(scope, step.each)
    if not isinstance(items, list):
        raise ResolveError("missing-value", "no list")
    outputs = []
    for item in items:
        own = scope.with_own(each=item, each_item=item)
        if item is None or "each_item" in refs:
            return SKIPPED  # what made the item is the machine's business
        output = called(accepted, step, own, rng)
        outputs.append(None if output is SKIPPED else output)
    return outputs


def called(accepted: Accepted, step: Step, scope: Scope, rng: random.Random) -> Any:
    if first_false(step.when, scope) is not None:
        return SKIPPED
    function = FUNCTIONS.get(step.action)
    action = function.action if function else accepted.actions[step.action]
    arguments = bind(step, scope, action.input_schema)
    validator = validator_of(action.input_schema)
    assert validator is not None
    decision = accepted.certificate.of(step.id)
    if not validator.is_valid(arguments):
        assert any(guard.kind == "type" for guard in decision.guards), (accepted.plan, arguments)
        return SKIPPED
    if function:
        return function.call(arguments)
    return sample(action.output_schema or {}, rng)


def sample(schema: Any, rng: random.Random) -> Any:
    """A value that is valid for one of the suite's output schemas."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "anyOf" in schema:
        return sample(rng.choice(schema["anyOf"]), rng)
    texts = {
        "date": ["2026-01-31", "1999-12-31"],
        "date-time": ["2026-01-31T10:00:00Z"],
        "email": ["ann@example.com", "bob@example.com"],
    }
    match schema.get("type"):
        case "object":
            names = [
                name
                for name in schema.get("properties", {})
                if name in schema.get("required", ()) or rng.random() < 0.5
            ]
            found = {name: sample(schema["properties"][name], rng) for name in names}
            more = schema.get("additionalProperties")
            if isinstance(more, dict):
                found |= {key: sample(more, rng) for key in rng.sample(["colour", "x", "7"], 2)}
            return found
        case "array":
            return [sample(schema.get("items", {}), rng) for _ in range(rng.randint(0, 3))]
        case "string" if "pattern" in schema:
            is_amount = "0-9" in schema["pattern"]
            return rng.choice(["12.50", "0", "-3"] if is_amount else ["EUR", "USD"])
        case "string":
            plain = ["", "1042", "mug", "10.5", "ann"]
            return rng.choice(texts.get(schema.get("format", ""), plain))
        case "integer":
            return rng.choice([1, 2, 7])
        case "number":
            return rng.choice([0.5, 3, 19.99])
        case "boolean":
            return rng.random() < 0.5
        case _:
            return rng.choice([None, 1, "x", [], ["y"], {"id": "7"}, [{"id": "7"}]])
