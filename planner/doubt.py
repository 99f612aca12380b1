"""What in a request a playbook cannot weigh: denials, conditions, numbers that no input takes.

A playbook is chosen by the words it shares with the request. "Don't" or "if" may turn these
words into the opposite, so whoever asked says whether the playbook is meant.
"""

import re
from collections.abc import Iterable

from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.extract_inputs import is_free_text, parts, read_input, without
from planner.said import Span, denials, negations
from planner.utterances import Match

WHOLE: JsonObject = {"type": "integer"}
NUMBER: JsonObject = {"type": "number"}
MONEY: JsonObject = {
    "type": "object",
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
}
_CONDITIONS = re.compile(
    r"\b(?:if|unless|except|only|half|partly|provided|otherwise|also|additionally|as\s+well"
    r"|cancel(?:l?ed)?|stop|ignore|pretend)\b",
    re.IGNORECASE,
)


def doubtful(match: Match, text: str, values: JsonObject) -> str | None:
    """The first word that may turn the request into something else, or None.

    `values` are those that were read: "no refund" is accounted for where another one was.
    """
    inputs = match.playbook.inputs
    schemas = {name: each for name, each in inputs.items() if isinstance(each, dict)}
    free = [
        span
        for name, span in match.captures.items()
        if name in schemas and is_free_text(schemas[name])
    ]
    words = without(text, free)
    weighed = {
        span
        for name, schema in schemas.items()
        for span in _weighed(schema, words, values.get(name))
    }
    found = sorted({*negations(words), *(each.span() for each in _CONDITIONS.finditer(words))})
    left = [words[slice(*span)] for span in found if span not in weighed]
    own = _own(match)
    return next((word for word in left if word.casefold() not in own), None)


def unread_number(match: Match, left: str, today: str) -> str | None:
    """A number, an amount or a part of one that no input took: two pieces are not one."""
    found = [read_input(schema, left, today) for schema in (MONEY, NUMBER, WHOLE)]
    whole = {span for each in found for span in each.spans}
    own = _own(match)
    for span in sorted({*whole, *parts(left)}):
        word = left[slice(*span)].casefold()
        # "one" is a pronoun as often as a number.
        if word != "one" and (span in whole or word not in own):
            return left[slice(*span)]
    return None


def _own(match: Match) -> list[str]:
    """The words that the playbook's utterances have."""
    return " ".join(match.playbook.utterances).casefold().split()


def _weighed(schema: JsonObject, words: str, value: JsonValue) -> Iterable[Span]:
    """The denials that ruled out another value than the one that was taken."""
    values = schema.get("enum")
    if isinstance(values, list):
        for span, denied in denials(words, values, schema.get("x-words")):
            if denied != value:
                yield span
