"""From a model's text to a plan, or to the reasons why it is none."""

import re

from executor.check.parse import parse_plan
from executor.check.violation import Violation
from executor.plan.model import Plan
from planner.models.base import Completion

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL)


def read_reply(completion: Completion) -> Plan | tuple[Violation, ...]:
    """Read a plan; a fence or a sentence around the JSON is peeled off, nothing else is changed."""
    if completion.cut:
        message = "the answer was cut off at the length limit"
        return (Violation("malformed-json", "", message, fix="Write a shorter plan."),)
    text = completion.text.strip()
    if fenced := _FENCE.search(text):
        text = fenced.group(1)
    elif not text.startswith("{") and "{" in text:
        text = text[text.index("{") : text.rindex("}") + 1] if "}" in text else text
    return parse_plan(text)
