"""Which actions a model is shown: those whose words meet the request's, or all of a few.

A rare word tells more than a common one, a word of the name more than one of the description,
and one of an argument's name least. Equal ones keep the catalogue's order.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, log

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from planner.request import PlanRequest
from planner.stems import stems

_NAME, _DESCRIPTION, _ARGUMENT = 3.0, 1.0, 0.5


def shortlist(request: PlanRequest, limit: int) -> tuple[ActionSpec, ...]:
    """At most `limit` actions, best first; the order is stable."""
    if len(request.catalog) <= limit:
        return tuple(request.catalog)
    index = _index(request.catalog)
    asked = sorted(set(stems(" ".join([request.text, *request.answers.values(), *request.inputs]))))
    scores: dict[int, list[float]] = {}
    for word in asked:
        places = index.places.get(word, {})
        rarity = log(1 + len(index.actions) / max(1, len(places)))
        for place, weight in places.items():
            scores.setdefault(place, []).append(weight * rarity)
    ranked = sorted(scores, key=lambda place: (-fsum(scores[place]), place))
    # Where the words say too little, the first ones of the catalogue fill the list.
    rest = [place for place in range(min(2 * limit, len(index.actions))) if place not in scores]
    return tuple(index.actions[place] for place in [*ranked, *rest][:limit])


@dataclass(frozen=True)
class _Index:
    """In which actions a word stands, and how much it tells there."""

    actions: tuple[ActionSpec, ...]
    places: Mapping[str, Mapping[int, float]]


@lru_cache(maxsize=4)
def _index(catalog: Catalog) -> _Index:
    actions = tuple(catalog)
    places: dict[str, dict[int, float]] = {}
    for place, action in enumerate(actions):
        for word, weight in _weights(action).items():
            places.setdefault(word, {})[place] = weight
    return _Index(actions, places)


def _weights(action: ActionSpec) -> dict[str, float]:
    properties = action.input_schema.get("properties")
    arguments = " ".join(properties) if isinstance(properties, dict) else ""
    weights: dict[str, float] = {}
    for text, weight in (
        (action.name, _NAME),
        (action.description, _DESCRIPTION),
        (arguments, _ARGUMENT),
    ):
        for word, times in Counter(stems(text)).items():
            weights[word] = weights.get(word, 0.0) + weight * (1 + log(times))
    return weights
