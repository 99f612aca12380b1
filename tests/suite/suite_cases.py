"""Reads the JSON suite of the language: what is given, the plan, and what admission says."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors.catalog import Catalog
from connectors.spec import Integrity, Label, Principal
from executor.check.admit import AdmissionContext, Inputs, Rejected, Verdict, admit
from executor.check.budgets import Budgets
from executor.check.bulk import read_catalog
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.parse import parse_plan
from executor.check.playbook import Playbook, read_playbook

HERE = Path(__file__).parent
SEAL_KEY = b"suite"


@dataclass(frozen=True)
class Case:
    """One case with the file it stands in."""

    file: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.content['name']}"

    @property
    def given(self) -> dict[str, Any]:
        found: dict[str, Any] = self.content.get("given", {})
        return found

    @property
    def text(self) -> str:
        """The plan as text; what is no JSON stands as `text`."""
        if "text" in self.content:
            return str(self.content["text"])
        return json.dumps(self.content["plan"])


def suite() -> list[Case]:
    """Every case of every file."""
    return [
        Case(path.stem, content)
        for path in sorted(HERE.glob("*.json"))
        for content in json.loads(path.read_text(encoding="utf-8"))["cases"]
    ]


@lru_cache
def catalog(name: str = "shop") -> Catalog:
    """A catalogue of the suite, in the form that `lamgate admit --catalog` takes."""
    return read_catalog((HERE / "catalogs" / f"{name}.json").read_text(encoding="utf-8"))


@lru_cache
def playbook(name: str) -> Playbook:
    """A playbook of the suite."""
    file = HERE / "playbooks" / f"{name}.json"
    return read_playbook(json.loads(file.read_text(encoding="utf-8")), str(file))


@lru_cache
def _policy(text: str) -> Policy:
    return Policy.parse({"suite.cedar": text})


def context(given: dict[str, Any]) -> AdmissionContext:
    """What admission knows besides the plan."""
    inputs = given.get("inputs", {})
    labels = {
        name: Label(Integrity(label["integrity"]), _readers(label.get("readers")))
        for name, label in inputs.get("labels", {}).items()
    }
    principal = given.get("principal", {})
    return AdmissionContext(
        request=given.get("request", ""),
        history=tuple(given.get("history", ())),
        inputs=Inputs(inputs.get("schema", {}), inputs.get("values", {}), labels),
        catalog=catalog(given.get("catalog", "shop")),
        policy=_policy(given["policy"]) if "policy" in given else None,
        principal=Principal(
            principal.get("id", "clerk-1"),
            principal.get("tenant", "main"),
            frozenset(principal.get("roles", ("requester",))),
        ),
        today=given.get("today", "2026-03-02"),
        seal_key=SEAL_KEY,
        lift_role=given.get("lift_role", "approver"),
        budgets=Budgets.model_validate(given.get("budgets", {})),
        options=Options.model_validate(given.get("options", {})),
        playbooks={each.action: each for each in map(playbook, given.get("playbooks", ()))},
    )


def _readers(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def verdict_of(case: Case) -> Verdict:
    """Read and admit the case's plan."""
    plan = parse_plan(case.text)
    if isinstance(plan, tuple):
        return Rejected(plan)
    return admit(plan, context(case.given))
