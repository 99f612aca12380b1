"""What may be asked of a model in a run: a constant schema in which every value has a bound."""

from collections.abc import Iterator

from executor.check.analysis import Analysis
from executor.check.say import say
from executor.check.violation import Violation
from executor.fn.extract import EXTRACT, UnboundedError, require_bounds

_FIX = "Write `schema` as one `json` constant, with a bound for every text and every list."


def bounded_extracts(analysis: Analysis) -> Iterator[Violation]:
    """What a model reads out of a text fits a constant schema, and nothing in it is unbounded."""
    for index, step in enumerate(analysis.plan.steps):
        if step.action != EXTRACT or analysis.action(step) is None:
            continue
        places = [each for each in analysis.bindings(step) if each.to[:1] == ("schema",)]
        if not places:
            continue  # a missing argument is complained about as such
        at = f"/steps/{index}{places[0].at}"
        schema = analysis.extract_schema(step)
        if schema is None:
            yield say("type-mismatch", at, "the schema is no constant of the plan", step, (), _FIX)
            continue
        try:
            require_bounds(schema[0])
        except UnboundedError as error:
            yield say("type-mismatch", at, f"the schema has no bounds: {error}", step, (), _FIX)
