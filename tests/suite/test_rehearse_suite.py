"""Every plan of the suite that is accepted can be rehearsed, and what is told can be read."""

import pytest
from hypothesis import settings
from suite_cases import Case, context, suite, verdict_of

from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.rehearse.rehearse import rehearse
from executor.rehearse.render import render
from executor.rehearse.stage import Terms

EVERYTHING = Policy.parse({"all": "permit (principal, action, resource);"})
CASES = [case for case in suite() if case.content.get("accepted")]
EACH = 1 if settings().max_examples > 100 else 8  # all of them at night


@pytest.mark.parametrize("case", CASES[::EACH], ids=lambda case: case.name)
def test_an_accepted_plan_is_rehearsed_to_an_end_in_every_scenario(case: Case) -> None:
    accepted = verdict_of(case)
    assert isinstance(accepted, Accepted)
    policy = context(case.given).policy or EVERYTHING
    found = rehearse(accepted, Terms(policy, lambda action: action.limits, 1.7e9))

    assert found.scenarios
    assert all(each.waiting_for != "too-long" for each in found.scenarios)
    assert {each.step for each in found.scenarios[0].steps} == {
        step.id for step in accepted.plan.steps
    }
    assert render(found).startswith("rehearsed: nothing was called")
