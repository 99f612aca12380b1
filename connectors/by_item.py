"""What became of each item of a call that takes many at once, where its manifest says how to tell.

what the answer says of the items     what follows
------------------------------------  ----------------------------------------------------------
every one happened                    applied
some happened, the others did not     applied; what did not happen is told beside the output
none happened                         refused, no effect; all for 429: later once more
nothing, or not of each, or of one    unreadable: something happened, and nobody can say what
  only that its service broke down

Pure functions of the call's recorded arguments and output, so that whatever tells the output later
(a search, a repetition, a person) tells of the items too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import Kind, Refused, Unavailable
from connectors.spec import ActionSpec, ItemAnswers, JsonObject
from connectors.text import visible

_MOST_SAID = 300
_NOTHING: tuple[JsonValue, ...] = (None, False, "", [], {})


@dataclass(frozen=True)
class Missed:
    """Why one item did not happen."""

    message: str
    status: int | None = None


def missed_items(
    action: ActionSpec, arguments: Mapping[str, JsonValue], output: JsonValue
) -> dict[int, Missed] | str:
    """The items that did not happen, by their place in the arguments; or why nobody can tell."""
    asked = action.items
    if asked is None:
        return {}
    given, told = _at(dict(arguments), asked.of), _at(output, asked.at)
    if not isinstance(given, list) or not isinstance(told, list) or len(given) != len(told):
        count = len(given) if isinstance(given, list) else "no"
        return f"{count} items were sent, and the answer does not tell of each"
    found: dict[int, Missed] = {}
    for index, each in enumerate(told):
        match _missed(asked, each):
            case Missed() as missed:
                found[index] = missed
            case str() as flaw:
                return f"of item {index} {flaw}"
            case None:
                pass
    return found


def settled(action: ActionSpec, arguments: Mapping[str, JsonValue], outcome: Outcome) -> Outcome:
    """The outcome as its items say; where none of them happened, raises what that means."""
    if action.items is None or not isinstance(outcome, Applied):
        return outcome
    missed = missed_items(action, arguments, outcome.output)
    if isinstance(missed, str):
        return Unreadable(missed, outcome.request_id)
    if message := _none(action.items, arguments, missed):
        if all(each.status == 429 for each in missed.values()):
            raise Unavailable(
                message,
                kind=Kind.RATE_LIMITED,
                retry_after_s=outcome.retry_after_s,
                sent=True,
                request_id=outcome.request_id,
                status=429,
            )
        raise Refused(message, kind=Kind.INVALID, request_id=outcome.request_id)
    return outcome


def none_happened(
    action: ActionSpec, arguments: Mapping[str, JsonValue], output: JsonValue
) -> str | None:
    """Why no item of a call happened, if an output that is told later says so."""
    missed = missed_items(action, arguments, output)
    if action.items is None or isinstance(missed, str):
        return None
    return _none(action.items, arguments, missed)


def _none(
    asked: ItemAnswers, arguments: Mapping[str, JsonValue], missed: Mapping[int, Missed]
) -> str | None:
    if not missed or len(missed) != _count(asked, arguments):
        return None
    return f"no item happened; the first: {missed[0].message}"


def happened_only(
    action: ActionSpec, arguments: JsonObject, output: JsonValue
) -> tuple[JsonObject, JsonValue]:
    """Arguments and output without the items that did not happen."""
    missed = missed_items(action, arguments, output)
    if action.items is None or isinstance(missed, str) or not missed:
        return arguments, output
    kept = _without(arguments, action.items.of.split("/"), missed.keys())
    at = action.items.at
    return (
        kept if isinstance(kept, dict) else arguments,
        _without(output, at.split("/") if at else [], missed.keys()),
    )


def all_happened(
    action: ActionSpec, arguments: Mapping[str, JsonValue], output: JsonValue
) -> JsonValue:
    """The output as it would be if every item had happened: for answers that are made up."""
    asked, given = action.items, None
    if asked is not None:
        given = _at(dict(arguments), asked.of)
    if asked is None or not isinstance(given, list):
        return output
    told = _at(output, asked.at)
    each = told[0] if isinstance(told, list) and told else {}
    if asked.failed_at is not None:
        each = _put(each, asked.failed_at, None)
    else:
        each = _put(each, asked.status_at or "", 200)
    return _put(output, asked.at, [each] * len(given))


def _put(value: JsonValue, pointer: str, new: JsonValue) -> JsonValue:
    """The value with another one at a place, or without it for null."""
    if not pointer:
        return new
    name, _, rest = pointer.partition("/")
    before = value if isinstance(value, dict) else {}
    below = _put(before.get(name), rest, new)
    if below is None:
        return {other: each for other, each in before.items() if other != name}
    return {**before, name: below}


def _missed(asked: ItemAnswers, told: JsonValue) -> Missed | str | None:
    """Why an item did not happen, None if it did; a text where that is not to be told."""
    message = _at(told, asked.message_at) if asked.message_at is not None else None
    if asked.failed_at is not None:
        if asked.failed_at and not isinstance(told, dict):
            return "nothing is told"
        said = _error_at(told, asked.failed_at)
        if said in _NOTHING:
            return None
        why = message if isinstance(message, str) else said
        return Missed(_said(why) or "the service says that it failed")
    status = _at(told, asked.status_at or "")
    if not isinstance(status, int) or isinstance(status, bool):
        return "there is no status"
    if 200 <= status < 300:
        return None
    if status == 408 or not 400 <= status < 500:
        return f"there is only the status {status}"
    return Missed(_said(message) or f"status {status}", status)


def _count(asked: ItemAnswers, arguments: Mapping[str, JsonValue]) -> int:
    given = _at(dict(arguments), asked.of)
    return len(given) if isinstance(given, list) else 0


def _said(value: JsonValue) -> str:
    return visible(value, _MOST_SAID) if isinstance(value, str) else ""


def _at(value: JsonValue, pointer: str) -> JsonValue:
    """What stands at a place; null where nothing does."""
    for token in pointer.split("/") if pointer else []:
        value = value.get(token) if isinstance(value, dict) else None
    return value


def _error_at(value: JsonValue, pointer: str) -> JsonValue:
    """What stands at a place, or on the way to it where a text stands for an object."""
    for token in pointer.split("/") if pointer else []:
        if not isinstance(value, dict):
            return value
        value = value.get(token)
    return value


def _without(value: JsonValue, tokens: list[str], gone: Collection[int]) -> JsonValue:
    if tokens and isinstance(value, dict) and tokens[0] in value:
        return {**value, tokens[0]: _without(value[tokens[0]], tokens[1:], gone)}
    if not tokens and isinstance(value, list):
        return [each for index, each in enumerate(value) if index not in gone]
    return value
