"""How long admission takes, also with many actions: `python -m benchmarks.admission_speed`.

A plan of 20 steps is admitted under 100 policies, of which at most 10 apply to one action: once
with every value that policy asks for in the words, once with these values read in the run, so
that Cedar evaluates partially. Both with 100 and with 10,000 actions in the catalogue. Times are
of the processor, warm, the median of many; beside them stands a yardstick of the same run, the
canonical JSON and SHA-256 of a fixed document of 100 KB. The catalogue is loaded from its JSON in
a process of its own, whose memory is measured.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rfc8785
from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.cedar import Policy
from executor.plan.model import Plan

PER_CONNECTION = 10
POLICIES, GENERAL = 100, 6
WARM = 3  # so many times before it is measured
WORDS = "Pay invoice A-17 of 12.50 EUR to ann@example.com, note: as agreed"
GOAL_MS = {"known": 5.0, "partial": 15.0}


@dataclass(frozen=True)
class Figure:
    """One measured time, in milliseconds of the processor."""

    name: str
    median: float
    least: float
    most: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admission_speed")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--load", type=Path, help="load this catalogue, print what it took, end")
    given = parser.parse_args(argv)
    if given.load is not None:
        print(json.dumps(_load(given.load)))
        return 0
    yard = measured("yardstick: 100 KB canonical + SHA-256", _yardstick(), given.rounds)
    told = [yard]
    for actions in (100, 10_000):
        for kind in ("known", "partial"):
            work = _admission(catalog_of(actions), kind, given.rounds)
            told.append(measured(f"20 steps, {actions} actions, {kind}", work, given.rounds))
    for each in told:
        share = each.median / yard.median
        print(f"{each.name:<42} {each.median:7.2f} ms ({each.least:.2f} to {each.most:.2f})"
              f" {share:6.2f} yardsticks")  # fmt: skip
    for kind, goal in GOAL_MS.items():
        small, large = (each.median for each in told if each.name.endswith(kind))
        met = "met" if large <= goal else "missed"
        ratio = large / small
        print(f"{kind}: goal {goal:.0f} ms, {met}; 10,000 actions take {ratio:.2f} of what 100 do")
    print(_loaded())
    return 0


def measured(name: str, work: Callable[[], object], rounds: int) -> Figure:
    """Run warm, one time after the other."""
    for _ in range(WARM):
        work()
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        times.append((time.process_time() - begun) * 1000)
    return Figure(name, statistics.median(times), min(times), max(times))


def action(number: int) -> ActionSpec:
    """One of many actions: every other one a write."""
    connection, operation = divmod(number, PER_CONNECTION)
    is_write = operation % 2 == 1
    text: JsonObject = {"type": "string", "maxLength": 200}
    money: JsonObject = {
        "type": "object",
        "properties": {"amount": {"type": "string"}, "currency": {"enum": ["EUR", "USD"]}},
        "required": ["amount", "currency"],
        "additionalProperties": False,
    }
    line = _object({"sku": text, "count": {"type": "integer", "minimum": 1}, "price": money})
    record = _object({"id": text, "email": text | {"format": "email"}, "total": money,
                      "lines": {"type": "array", "items": line}})  # fmt: skip
    manifest: dict[str, JsonValue] = {
        "name": f"c{connection}.op_{operation}",
        "description": "One of many actions that differ in their names alone.",
        "input_schema": _object({"id": text, "to": text, "amount": money, "note": text}, ("id",)),
        "output_schema": record,
        "effect": "idempotent" if is_write else "read",
        "irreversible": False,
        "egress": False,
        "approval": None,
        "reads_as": "trusted",
        "sinks": {"id": "resource_id", "to": "recipient", "amount": "amount", "note": "content"},
    }
    return ActionSpec.model_validate(manifest)


def _object(properties: JsonObject, required: Sequence[str] | None = None) -> JsonObject:
    names: list[JsonValue] = [*(properties if required is None else required)]
    return {"type": "object", "properties": properties, "required": names,
            "additionalProperties": False}  # fmt: skip


def catalog_of(actions: int) -> Catalog:
    """So many actions."""
    return Catalog(action(number) for number in range(actions))


def policies() -> str:
    """A hundred policies; six are for all actions, and at most four more for one of them."""
    general = [
        'permit (principal, action == Action::"read", resource);',
        'permit (principal, action, resource) when { principal.roles.contains("requester") };',
        "forbid (principal, action, resource)\n"
        "when { context.args has amount && context.args.amount.minor > 1000000 };",
        "forbid (principal, action, resource)\n"
        'when { context.args has amount && context.args.amount.currency == "USD" };',
        '@approval("approver") forbid (principal, action, resource)\n'
        "when { context.args has amount && context.args.amount.minor > 500000 }\n"
        'unless { context.approvals.contains("approver") };',
        "forbid (principal, action, resource)\n"
        'when { context.labels has note && context.labels.note == "untrusted" };',
    ]
    special = [
        f'forbid (principal, action, resource == Operation::"c{number // 4}.op_{number % 4}")\n'
        f'when {{ context.args has id && context.args.id == "X-{number}" }};'
        for number in range(POLICIES - GENERAL)
    ]
    return "\n".join((*general, *special))


def plan_of(kind: str) -> Plan:
    """Twenty steps: reads and writes by turns, with two functions among them."""
    steps: list[JsonValue] = []
    for number in range(20):
        before = f"s{number - 1}"
        args: list[JsonValue] = [{"value": "A-17", "to": "id"}]
        operation = number % PER_CONNECTION
        if number in (9, 19):
            steps.append({"id": f"s{number}", "action": "fn.count",
                          "args": [{"ref": f"{before}/lines", "to": "list"}]})  # fmt: skip
            continue
        if operation % 2 == 1 and kind == "known":
            args += [
                {"value": "ann@example.com", "to": "to"},
                {"json": '{"amount": "12.50", "currency": "EUR"}', "to": "amount"},
                {"text": [{"lit": "as agreed"}], "to": "note"},
            ]
        elif operation % 2 == 1:
            args += [
                {"ref": f"{before}/email", "to": "to"},
                {"ref": f"{before}/lines/0/price", "to": "amount"},
                {"text": [{"lit": "for "}, {"ref": f"{before}/id"}], "to": "note"},
            ]
        steps.append({"id": f"s{number}", "action": f"c{number // 5}.op_{operation}", "args": args,
                      "after": [before] if number and number != 10 else []})  # fmt: skip
    return Plan.model_validate({"understanding": "Pay.", "steps": steps}, strict=False)


def _admission(catalog: Catalog, kind: str, rounds: int) -> Callable[[], object]:
    """Admission of a plan that was never seen before, so many times."""
    context = AdmissionContext(
        request=WORDS,
        inputs=Inputs(),
        catalog=catalog,
        policy=Policy.parse({"bench.cedar": policies()}),
        principal=Principal("ann", "main", frozenset({"requester"})),
        today="2026-01-01",
        seal_key=b"bench",
    )
    verdict = admit(plan_of(kind), context)
    if not isinstance(verdict, Accepted):
        raise SystemExit(f"the plan of the benchmark is not accepted: {verdict}")
    plans = iter([plan_of(kind) for _ in range(WARM + rounds)])
    return lambda: admit(next(plans), context)


def _yardstick() -> Callable[[], object]:
    document: JsonValue = [
        {"name": f"number {n}", "value": n, "share": n / 7, "more": ["é", None, True]}
        for n in range(1_370)
    ]
    return lambda: hashlib.sha256(rfc8785.dumps(document)).digest()


def _load(path: Path) -> JsonObject:
    before, begun = _memory(), time.process_time()
    catalog = Catalog.restore(path.read_bytes())
    return {"actions": len(catalog), "s": time.process_time() - begun, "mb": _memory() - before}


def _memory() -> float:
    """The most that this process has taken so far, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _loaded() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.json"
        path.write_bytes(catalog_of(10_000).stored())
        size = path.stat().st_size / 1e6
        command = [sys.executable, "-m", "benchmarks.admission_speed", "--load", str(path)]
        told = [json.loads(subprocess.check_output(command)) for _ in range(3)]
    seconds = statistics.median(each["s"] for each in told)
    memory = statistics.median(each["mb"] for each in told)
    met = "met" if seconds <= 1 and memory <= 200 else "missed"
    return (f"10,000 actions from {size:.0f} MB of JSON: {seconds:.2f} s, {memory:.0f} MB; "
            f"goal 1 s and 200 MB, {met}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
