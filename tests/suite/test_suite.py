"""The language as JSON cases: every one of them, and every violation code among them."""

import re
from pathlib import Path
from typing import Any

import pytest
from suite_cases import Case, catalog, suite, verdict_of

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.admit import Accepted, Questions, Rejected, tool_changes
from executor.check.envelope import Band
from executor.check.violation import CODES, Violation
from executor.plan.render import render

CASES = suite()
EXPLAINED = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
KNOWN = {
    "name", "why", "given", "plan", "text", "accepted", "violations", "questions", "unable",
    "standings", "guards", "approvals", "quorums", "labels", "results",
    "envelopes", "candidates", "digest", "changed", "policies", "rendered", "steps",
}  # fmt: skip


def _ids(cases: list[Case]) -> list[str]:
    return [re.sub(r"[^a-z0-9]+", "-", case.name.lower()) for case in cases]


@pytest.mark.parametrize("case", CASES, ids=_ids(CASES))
def test_admission_says_what_the_case_says(case: Case) -> None:
    expected = case.content
    verdict = verdict_of(case)

    assert expected.keys() <= KNOWN
    match verdict:
        case Accepted():
            assert expected.get("accepted") is True, "it was accepted"
            _check_certificate(verdict, expected)
        case Rejected(violations=violations):
            told = [{"code": each.code, "at": each.at} for each in violations]
            assert _sorted(told) == _sorted(expected.get("violations", [])), violations
            _check_candidates(violations, expected)
        case Questions(questions=questions, unable=unable):
            assert [each.ask for each in questions] == expected.get("questions")
            assert unable == expected.get("unable")
        case _:
            raise AssertionError(f"no verdict: {verdict}")


def _sorted(violations: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((each["at"], each["code"]) for each in violations)


def _check_candidates(violations: tuple[Violation, ...], expected: dict[str, Any]) -> None:
    for at, names in expected.get("candidates", {}).items():
        found = next(each for each in violations if each.at == at)

        assert list(found.candidates) == names


def _check_certificate(verdict: Accepted, expected: dict[str, Any]) -> None:
    certificate = verdict.certificate
    for step, standing in expected.get("standings", {}).items():
        assert certificate.of(step).standing == standing, certificate.of(step)
    for step, guards in expected.get("guards", {}).items():
        found = [{"kind": each.kind, "at": each.at} for each in certificate.of(step).guards]
        assert found == guards, certificate.of(step)
    for step, role in expected.get("approvals", {}).items():
        need = certificate.of(step).approval
        assert (need and need.role) == role, need
    for step, quorum in expected.get("quorums", {}).items():
        need = certificate.of(step).approval
        assert (need and need.quorum) == quorum, need
    for step, labels in expected.get("labels", {}).items():
        found = {at: str(each.integrity) for at, each in certificate.of(step).labels.items()}
        assert found == labels
    for step, label in expected.get("results", {}).items():
        result = certificate.of(step).result_label
        assert str(result.integrity) == label
    for step, names in expected.get("policies", {}).items():
        assert list(certificate.of(step).policies) == names
    if "steps" in expected:
        assert [each.step for each in certificate.steps] == expected["steps"]
    if "rendered" in expected:
        assert render(verdict.plan).splitlines() == expected["rendered"]
    for role, steps in expected.get("envelopes", {}).items():
        (envelope,) = [each for each in certificate.envelopes if each.role == role]
        found = {
            each.step: {"calls": each.calls} | {band.at: _shown(band) for band in each.bands}
            for each in envelope.steps
        }
        assert found == steps
    if "envelopes" in expected:
        assert {each.role for each in certificate.envelopes} == expected["envelopes"].keys()
    if "changed" in expected:
        _check_changes(verdict, expected["changed"])


def _shown(band: Band) -> Any:
    return [*band.values] if band.kind == "values" else band.kind


def _check_changes(verdict: Accepted, changed: dict[str, Any]) -> None:
    """What a plan that was accepted finds when the catalogue is another one later."""
    now = Catalog(
        # Validated anew: a copy would keep the digest that was computed before.
        ActionSpec.model_validate(
            action.model_dump(by_alias=True) | changed["actions"].get(action.name, {})
        )
        for action in catalog()
        if changed["actions"].get(action.name, {}) is not None
    )
    told = [{"code": each.code, "at": each.at} for each in tool_changes(verdict, now)]

    assert told == changed["violations"]
    assert tool_changes(verdict, catalog()) == ()


def test_every_code_has_a_case_and_is_explained() -> None:
    shown = {
        each["code"]
        for case in CASES
        for part in (case.content, case.content.get("changed", {}))
        for each in part.get("violations", [])
    }
    table = EXPLAINED.read_text(encoding="utf-8").partition("## Kinds of failed calls")[0]
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", table, flags=re.MULTILINE))

    assert shown == CODES
    assert explained == CODES


def test_a_violation_says_what_where_and_what_to_do() -> None:
    for case in CASES:
        verdict = verdict_of(case)
        for each in verdict.violations if isinstance(verdict, Rejected) else ():
            assert len(each.message) > 10, case.name
            assert each.fix.endswith("."), (case.name, each)
            assert each.at == "" or each.at.startswith("/")
            assert not re.search(r"\bType\(|Binding\(|\bNone\b", each.message), each.message


def test_digests_are_equal_exactly_where_the_suite_says_so() -> None:
    digests: dict[str, set[str]] = {}
    for case in CASES:
        if "digest" in case.content:
            verdict = verdict_of(case)
            assert isinstance(verdict, Accepted), case.name
            digests.setdefault(case.content["digest"], set()).add(verdict.digest)

    assert digests
    assert all(len(found) == 1 for found in digests.values())
    assert len(set.union(*digests.values())) == len(digests)


def test_case_names_are_unique() -> None:
    names = [case.name for case in CASES]

    assert len(names) == len(set(names))
