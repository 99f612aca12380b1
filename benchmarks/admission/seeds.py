"""Accepted plans to start from: those of the language's suite, and some of each data set."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.admission.__main__ import data_sets
from benchmarks.admission.judge import CALLER, TODAY
from benchmarks.admission.oracle.schemas import Node
from connectors.catalog import Catalog
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.bulk import read_catalog
from executor.check.parse import parse_plan
from executor.fn import FUNCTIONS
from executor.plan.model import Plan

SUITE = Path(__file__).parents[2] / "tests" / "suite"
# The oracle reads schemas without these.
_UNREAD = ("$ref", "allOf", "patternProperties", "not", "if", "dependentRequired")
_PER_SET = 200


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


def seeds_of(data: Path | None) -> list[Seed]:
    """Every plan to start from, as far as it is accepted.

    The oracle knows neither playbooks nor `fn.typed`: those plans have properties of their own.
    """
    found = [*_of_suite(), *(_of_data(data) if data else ())]
    return [
        seed
        for seed in found
        if all(each["action"] in seed.actions for each in seed.plan.get("steps", []))
        and isinstance(plan := parse_plan(json.dumps(seed.plan)), Plan)
        and isinstance(admit(plan, seed.context), Accepted)
    ]


def _of_suite() -> Iterator[Seed]:
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


def _of_data(data: Path) -> Iterator[Seed]:
    """Some of the plans of every data set that are expected to be accepted."""
    for each in data_sets():
        fitting = (
            Seed(f"{each.name}: {case.id}", case.plan, case.catalog, case.request)
            for case in each.load(data)
            if case.expected == "accept" and case.plan is not None and not case.inputs
        )
        for _, seed in zip(range(_PER_SET), fitting, strict=False):
            used = [seed.actions[step["action"]] for step in seed.plan.get("steps", [])]
            if not any(f'"{word}":' in json.dumps(used) for word in _UNREAD):
                yield seed
