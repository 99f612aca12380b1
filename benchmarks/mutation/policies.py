"""Faults in the Cedar texts of the suite, the shop and tau2, held against their cases.

The shop's operations are those of the suite's catalogue, which has the same ones, the one that only
its document declares, and its mail, which is the unified model's; those of tau2 come with its data,
and are left out without it.

Found: a case that the text belongs to says something else. A fault that Cedar or `lamgate` cannot
read, or that does not fit the catalogue where the whole of it is known (shop, tau2), is no fault
of a policy, for no gateway starts with it; it is not counted.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmarks.admission.sets import tau2
from benchmarks.mutation import runner
from benchmarks.mutation.cedar_text import CedarChange, cedar_changes
from benchmarks.mutation.equivalent import equivalent
from benchmarks.mutation.score import Score
from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from connectors.unified.mail import MAIL
from executor.check.bulk import read_catalog
from executor.check.cedar import Policy, PolicyError
from executor.check.cedar_cases import read_cases, run_case
from executor.check.cedar_validation import require_valid

if TYPE_CHECKING:
    from suite_cases import Case

SHOP = runner.ROOT / "examples" / "shop" / "policies"
WRITTEN = runner.ROOT / "benchmarks" / "admission" / "policies"
DOMAINS = ("retail", "airline")
WRITE_OFF = {
    "name": "orders.create_write_off",
    "effect": "blind",
    "input_schema": {
        "type": "object",
        "properties": {
            "sku": {"type": "string"},
            "quantity": {"type": "integer"},
            "reason": {"type": "string"},
            "order_id": {"type": "string"},
        },
        "required": ["sku", "quantity", "reason"],
        "additionalProperties": False,
    },
}
CATALOG = runner.ROOT / "tests" / "suite" / "catalogs" / "shop.json"


def scores(data: Path | None = None) -> Iterator[Score]:
    """A row for the suite, one for the shop, and, with the data, two for tau2."""
    yield _suite()
    known = read_catalog(CATALOG.read_text(encoding="utf-8"))
    mail = MAIL.actions("mail", {"message_send": {"effect": "blind"}})
    yield _file(SHOP / "shop.cedar", Catalog([*known, ActionSpec.model_validate(WRITE_OFF), *mail]))
    if data is not None:
        both = Catalog(action for each in DOMAINS for action in tau2.shop_of(each, data).catalog)
        for domain in DOMAINS:
            yield _file(WRITTEN / f"tau2_{domain}.cedar", both)


def _suite() -> Score:
    suite = runner.suite_module()
    by_text: defaultdict[str, list[Case]] = defaultdict(list)
    for case in suite.CASES:
        if case.given.get("policy"):
            by_text[case.given["policy"]].append(case)

    def differs(text: str, changed: str) -> bool:
        return any(_differs(suite, case, changed) for case in by_text[text])

    def read(change: CedarChange) -> None:
        Policy.parse({"changed.cedar": change.text})

    return _scored("tests/suite, policies", by_text, read, differs)


def _differs(suite: ModuleType, case: "Case", policy: str) -> bool:
    given = case.given | {"policy": policy}
    changed = replace(case, content=case.content | {"given": given})
    try:
        suite.test_admission_says_what_the_case_says(changed)
    except Exception:  # noqa: BLE001 - any error is a difference
        return True
    return False


def _file(policy: Path, catalog: Catalog) -> Score:
    cases = policy.with_suffix(".cases.json")
    found = read_cases({cases.name: cases.read_text(encoding="utf-8")}, catalog)

    def read(change: CedarChange) -> None:
        Policy.parse({policy.name: change.text})
        require_valid(Policy.parse({policy.name: change.policy}), catalog)

    def differs(_text: str, changed: str) -> bool:
        now = Policy.parse({policy.name: changed})
        return any(run_case(case, now).wrong for case in found)

    text = policy.read_text(encoding="utf-8")
    return _scored(str(policy.relative_to(runner.ROOT)), [text], read, differs)


def _scored(
    name: str,
    texts: Iterable[str],
    read: Callable[[CedarChange], object],
    differs: Callable[[str, str], bool],
) -> Score:
    score = Score(name)
    start = time.monotonic()
    for text in texts:
        for change in cedar_changes(text):
            try:
                read(change)
            except PolicyError:
                continue
            key = (name, " ".join(text.split()), change.what)
            score.count_one(change.what, differs(text, change.text), key in equivalent())
    score.seconds = time.monotonic() - start
    return score
