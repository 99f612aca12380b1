"""From a model's text to a plan, or to the reasons why it is none.

What models put around their JSON is peeled off: thoughts, a fence, a sentence. Nothing inside
it is changed, and where two objects are offered none is chosen.
"""

import json
import re

from executor.check.parse import parse_plan
from executor.check.violation import Violation
from executor.plan.model import Plan
from planner.models.base import Completion
from planner.thoughts import answered

# Braces of a sentence, as in {order_id}, begin no JSON object.
_START = re.compile(r'\{\s*["}]')
_DECODER = json.JSONDecoder()
_Read = Plan | tuple[Violation, ...]


def read_reply(completion: Completion) -> _Read:
    """Read a plan; a plan of no steps must ask something or say why it is not possible."""
    if completion.cut:
        message = "the answer was cut off at the length limit"
        return (Violation("malformed-json", "", message, fix="Write a shorter plan."),)
    found = _objects(answered(completion.text))
    if len(found) > 1:
        message = f"the answer holds {len(found)} JSON objects, and which is meant is not said"
        return (Violation("malformed-json", "", message, fix="Send one JSON object, no more."),)
    read = parse_plan(found[0])
    if isinstance(read, Plan) and not (read.steps or read.questions or read.unable is not None):
        message = "there are no steps, no questions, and `unable` does not say why"
        fix = "Write the steps, ask in `questions`, or say in `unable` what no action can do."
        return (Violation("unknown-field", "/steps", message, fix=fix),)
    return read


def _objects(text: str) -> list[str]:
    """The objects in a text; one that is broken is handed on as it is, for the parser to blame.

    An object of a list is a part of something else, and is handed on with what it is a part of.
    """
    found: list[str] = []
    start = _START.search(text)
    while start is not None:
        end = _end(text, start.start())
        if end is None:
            found.append(text[start.start() :])
            break
        before = start.start()
        while before and text[before - 1].isspace():
            before -= 1
        begun = before - 1 if text[before - 1 : before] == "[" else start.start()
        found.append(text[begun:end])
        start = _START.search(text, end)
    if len(found) > 1:
        # An object in a sentence around the plan is no second offer; another plan is.
        found = [each for each in found if _is_offer(each)] or found
    return found or [text]


def _end(text: str, start: int) -> int | None:
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return end


def _is_offer(text: str) -> bool:
    return any(f'"{name}"' in text for name in ("steps", "questions", "unable"))
