"""What a call that takes many items at once did with each, as its step is judged by it."""

from collections.abc import Mapping

from connectors.by_item import missed_items
from connectors.spec import ActionSpec
from executor.run.events import ItemFailure
from executor.run.state import Attempt

PARTLY, UNTOLD = "items-refused", "items-untold"
_MOST_TOLD = 3  # items that a message names


def missed_by(action: ActionSpec, call: Attempt) -> Mapping[str, ItemFailure] | str:
    """The items of a call that did not happen, by their place in its list; or why none can tell.

    What a connector answers tells of each. What was found out later may not: the output of a
    search, or of a person who says no more than that it happened.
    """
    if action.items is None or not call.is_applied:
        return {}
    found = missed_items(action, call.intent.arguments, call.output)
    if isinstance(found, str):
        return found
    return {
        str(index): ItemFailure(code=PARTLY, message=each.message, effect="no")
        for index, each in found.items()
    }


def took_it_back(action: ActionSpec, call: Attempt) -> bool:
    """Whether a compensation happened, of many items all of it; unreadable answers tell of none."""
    is_untold = action.items is not None and not call.is_applied
    return call.has_happened and not is_untold and not missed_by(action, call)


def told_of(missed: Mapping[str, ItemFailure]) -> str:
    """Which items did not happen, and why, for whoever reads the step's end."""
    named = [f"{item}: {each.message}" for item, each in missed.items()][:_MOST_TOLD]
    more = f", and {len(missed) - len(named)} more" if len(missed) > len(named) else ""
    return f"items that did not happen: {'; '.join(named)}{more}"
