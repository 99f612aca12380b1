"""Admits every case of a set, and counts what came out right and what did not."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.admission.case import Case
from connectors.spec import JsonObject, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Questions,
    Rejected,
    Verdict,
    admit,
)
from executor.check.parse import plan_of
from executor.check.violation import Violation
from executor.plan.model import Plan

TODAY = "2024-05-15"
CALLER = Principal("requester", "main", frozenset({"requester"}))


@dataclass
class Score:
    """What became of a set: `wrong` holds (case, what was said) of every wrong verdict."""

    name: str
    n: int = 0
    expressible: int = 0
    right: int = 0
    of: Counter[str] = field(default_factory=Counter)  # how many are expected to be what
    right_of: Counter[str] = field(default_factory=Counter)
    ran: int = 0
    ran_right: int = 0
    wrong: list[tuple[Case, str]] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)

    def row(self) -> tuple[str, ...]:
        """The table's cells: name, n, expressible, accepted, refused, run to the right end."""
        return (
            self.name,
            str(self.n),
            _share(self.expressible, self.n),
            _part(self.right_of["accept"], self.of["accept"]),
            _part(self.right_of["reject"], self.of["reject"]),
            _part(self.ran_right, self.ran),
        )


def score(name: str, cases: Iterable[Case]) -> Score:
    """Judge every case of a set."""
    found = Score(name)
    for case in cases:
        found.n += 1
        if case.plan is None:
            found.why_not[case.why_not] += 1
            continue
        found.expressible += 1
        found.of[case.expected] += 1
        said = verdict_on(case)
        flaw = None
        if case.run and isinstance(said, Accepted):
            flaw = case.run(said)
            found.ran += 1
            found.ran_right += flaw is None
        if _is_right(case, said) and flaw is None:
            found.right += 1
            found.right_of[case.expected] += 1
        else:
            found.wrong.append((case, flaw or _told(said)))
    return found


def verdict_on(case: Case) -> Verdict | tuple[Violation, ...]:
    """What admission says: types, labels, order and shape, and policy where the set has one."""
    plan = plan_of(json.loads(json.dumps(case.plan)))
    if not isinstance(plan, Plan):
        return plan
    values = case.inputs or {}
    schema: JsonObject = {
        "properties": {name: {} for name in values},
        "additionalProperties": False,
    }
    return admit(
        plan,
        AdmissionContext(
            request=case.request,
            inputs=Inputs(schema, values),
            catalog=case.catalog,
            policy=case.policy,
            principal=CALLER,
            today=case.today,
            seal_key=b"k" * 32,
        ),
    )


def _is_right(case: Case, said: Verdict | tuple[Violation, ...]) -> bool:
    if case.expected == "accept":
        return isinstance(said, Accepted)
    found = said.violations if isinstance(said, Rejected) else said
    if not isinstance(found, tuple):
        return False
    said_codes = {each.code for each in found}
    return case.must <= said_codes and (not case.codes or bool(case.codes & said_codes))


def _told(said: Verdict | tuple[Violation, ...]) -> str:
    match said:
        case Accepted():
            return "accepted"
        case Questions(unable=unable):
            return f"questions: {unable}"
        case Rejected(violations=found):
            pass
        case _:
            found = said
    return "; ".join(f"{each.code} at {each.at}: {each.message}" for each in found[:3])


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "0"


def _part(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "-"
