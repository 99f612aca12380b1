"""What a policy decision costs: `python -m benchmarks.policy` prints one table.

A hundred policies, of which at most ten cover one operation, as an operator of ten connections
would write them. Every figure is CPU time of this process, the median of several rounds, beside a
yardstick of the same round: machines and hours differ, the ratio hardly does.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import jsonschema_rs

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar import Judgement, Policy, PolicyQuestion, Slice
from executor.check.cedar_validation import validate
from executor.check.unknown import Unknown

ROUNDS, CALLS = 9, 300
CONNECTIONS, OPERATIONS = 12, 10_000
MONEY: JsonObject = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "amount": MONEY, "note": {"type": "string"}},
    "required": ["id", "amount"],
    "additionalProperties": False,
}
GIVEN: JsonObject = {"id": "pay_1", "amount": {"amount": "9.50", "currency": "EUR"}, "note": "x"}
LARGE: JsonObject = GIVEN | {"amount": {"amount": "950.00", "currency": "EUR"}}
TEXT = Unknown(frozenset({"string"}))
OPEN: JsonObject = GIVEN | {"amount": {"amount": TEXT, "currency": "EUR"}}
WHO = Principal("clerk-1", "main", frozenset({"clerk"}))
LABELS = {name: Label(Integrity.REQUEST) for name in GIVEN}


def action(number: int) -> ActionSpec:
    """One of many operations over some connections."""
    return ActionSpec.model_validate(
        {
            "name": f"c{number % CONNECTIONS}.op_{number // CONNECTIONS}",
            "effect": "blind",
            "input_schema": SCHEMA,
            "sinks": {"amount": "amount", "id": "resource_id"},
        }
    )


def policies() -> str:
    """Four for all, eight a connection: a permit, six for operations of its own, a limit."""
    text = (
        '@id("reads") permit (principal, action == Action::"read", resource);'
        '@id("no-guests") forbid (principal, action, resource)'
        ' when { principal.roles.contains("guest") };'
        '@id("not-made-up") forbid (principal, action, resource)'
        ' when { context.labels has id && context.labels.id == "model" };'
        '@id("not-far") forbid (principal, action, resource) when { context.run.writes > 500 };'
    )
    for each in range(CONNECTIONS):
        text += (
            f'@id("c{each}") permit (principal, action, resource in Connection::"c{each}")'
            ' when { principal.roles.contains("clerk") };'
            f'@id("limit-{each}") @approval("boss") forbid (principal, action, resource in'
            f' Connection::"c{each}") when {{ context.args.amount.minor > 50000 }}'
            ' unless { context.approvals.contains("boss") };'
        )
        for number in range(6):
            text += (
                f'@id("own-{each}-{number}") forbid (principal, action, resource =='
                f' Operation::"c{each}.op_{number // 2}")'
                f' when {{ context.args.amount.currency == "X{"AB"[number % 2]}X" }};'
            )
    return text


def cpu_us(call: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    begin = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begin) / CALLS * 1e6


def rows(policy: Policy) -> Sequence[tuple[str, Callable[[], object]]]:
    """What is measured, by name; the yardstick first."""
    called = action(0)
    validator = jsonschema_rs.validator_for(SCHEMA)
    few, every = policy.slice_of(called), policy.whole

    def judging(found: Slice, arguments: JsonObject, wanted: str) -> Callable[[], Judgement]:
        run: JsonObject = {"writes": 1}
        question = PolicyQuestion(WHO, called, arguments, LABELS, run)
        verdict = found.judge(question).verdict
        if verdict != wanted:
            raise SystemExit(f"the benchmark is wrong: {verdict} instead of {wanted}")
        return lambda: found.judge(question)

    return (
        ("yardstick: 50 validations by jsonschema-rs", lambda: [
            validator.is_valid(GIVEN) for _ in range(50)
        ]),
        (f"full, its slice of {len(few.rules)}", judging(few, GIVEN, "allow")),
        (f"full, all {len(every.rules)}", judging(every, GIVEN, "allow")),
        (f"full, asks for approval, slice of {len(few.rules)}", judging(few, LARGE, "approval")),
        (f"partial, its slice of {len(few.rules)}", judging(few, OPEN, "unknown")),
        (f"partial, all {len(every.rules)}", judging(every, OPEN, "unknown")),
    )  # fmt: skip


def main() -> int:
    """Measure and print."""
    text = policies()
    policy = Policy.parse({"bench.cedar": text})
    measured = rows(policy)
    rounds = [[cpu_us(call) for _, call in measured] for _ in range(ROUNDS)]
    print(f"{len(policy.rules)} policies; CPU per decision, median of {ROUNDS} rounds of {CALLS}\n")
    print(f"{'':<44}{'us':>8}{'x yardstick':>13}")
    for index, (name, _) in enumerate(measured):
        us = statistics.median(each[index] for each in rounds)
        ratio = statistics.median(each[index] / each[0] for each in rounds)
        print(f"{name:<44}{us:>8.1f}{ratio:>13.2f}")
    print()
    for name, seconds in once(text):
        print(f"{name:<44}{seconds * 1000:>8.1f} ms")
    return 0


def once(text: str) -> Sequence[tuple[str, float]]:
    """What is done at start, and at the first call of an operation."""
    catalog = Catalog([action(number) for number in range(OPERATIONS)])
    marks = [time.process_time()]
    policy = Policy.parse({"bench.cedar": text})
    marks.append(time.process_time())
    slices = {id(policy.slice_of(each)) for each in catalog}
    marks.append(time.process_time())
    found = validate(policy, catalog)
    marks.append(time.process_time())
    if found.flaws:
        raise SystemExit(f"the benchmark is wrong: {found.flaws[0]}")
    names = ("parse", f"all {len(slices)} slices", "validate")
    spent = (after - before for before, after in pairwise(marks))
    return [(f"{name}, {OPERATIONS} operations", each)
            for name, each in zip(names, spent, strict=True)]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
