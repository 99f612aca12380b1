"""Which actions a model is shown: those whose words meet the request's, or all of a few."""

import re
from collections import Counter
from math import fsum, log

from connectors.spec import ActionSpec
from planner.request import PlanRequest

_WORD = re.compile(r"[^\W_]+")


def shortlist(request: PlanRequest, limit: int) -> tuple[ActionSpec, ...]:
    """At most `limit` actions, best first; the order is stable."""
    actions = tuple(request.catalog)
    if len(actions) <= limit:
        return actions
    texts = [Counter(_words(f"{each.name} {each.name} {each.description}")) for each in actions]
    rarity = Counter(word for text in texts for word in text)
    asked = set(_words(" ".join([request.text, *request.answers.values(), *request.inputs])))

    def score(text: Counter[str]) -> float:
        return fsum(
            (1 + log(text[word])) * log(1 + len(texts) / rarity[word])
            for word in asked & text.keys()
        )

    ranked = sorted(range(len(actions)), key=lambda index: -score(texts[index]))
    return tuple(actions[index] for index in ranked[:limit])


def _words(text: str) -> list[str]:
    return [word.removesuffix("s") for word in _WORD.findall(text.casefold())]
