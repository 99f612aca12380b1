"""What is said of arguments member by member is what the comparison of whole types says."""

from suite_cases import context, suite

from executor.check.analysis import Analysis
from executor.check.entry import input_type
from executor.check.parse import parse_plan
from executor.check.types import Flow, flows
from executor.plan.model import Plan


def test_the_members_tell_of_the_whole_what_its_type_tells() -> None:
    told = set()
    for case in suite():
        plan = parse_plan(case.text)
        if not isinstance(plan, Plan):
            continue
        given = context(case.given)
        analysis = Analysis(plan, given.catalog, given.inputs.schema)
        for step in plan.steps:
            action = analysis.action(step)
            into = input_type(action) if action else None
            short = into and analysis.member_by_member(step, into)
            if into is None or short is None:
                continue
            told.add(short)
            assert short is flows(analysis.as_a_whole(step, into), into), (case.name, step.id)

    assert told == {*Flow}
