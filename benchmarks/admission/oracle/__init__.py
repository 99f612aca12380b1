"""What is wrong with a plan, said a second time: straightforward, slow, and sharing no code.

Nothing of `executor` is used here. A plan is JSON, a type is a JSON Schema without references,
and whether a value of one type can be one of another is found by making examples of both and
asking a validator. Wherever a schema leaves something open nothing is said, as in admission.
What a step on a circle gives is what its action declares; a function there gives anything.

A format that no standard names is a kind: of its values it is said that they bear its name, and
those that bear another are none of it. A text that bears none may be of any.
"""

from benchmarks.admission.oracle.reading import Reading
from benchmarks.admission.oracle.schemas import Node
from benchmarks.admission.oracle.text import FlawedError, has_shape, read_json

MOST_STEPS, HOPELESS = 50, 200


def codes_of(text: str, actions: dict[str, tuple[Node, Node | None]], inputs: Node) -> set[str]:
    """Every code that a plan, as text, deserves; none where nothing is certainly wrong."""
    try:
        plan = read_json(text)
    except FlawedError as flaw:
        return {str(flaw)}
    if not has_shape(plan):
        return {"unknown-field"}
    if plan.get("questions") or plan.get("unable") is not None:
        return set()
    steps = plan.get("steps", [])
    over = {"budget-exceeded"} if len(steps) > MOST_STEPS else set()
    if len(steps) > HOPELESS:
        return over
    return over | Reading(plan, actions, inputs).codes()
