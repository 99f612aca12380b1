"""What a task's words say: the ground on which a converter may stand.

A literal argument is said as admission understands it (`executor.check.words`). A condition is
only there to choose, so it may also be said in another spelling: `credit card` says
`credit_card`, and `water bottles` says `Water Bottle`.
"""

import re
import unicodedata

from pydantic import JsonValue

from executor.check.words import Words

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_MOST_TOKENS = 8
_MOST_LETTERS = 80
_SMALL = frozenset("with from that this have your will been they them their what when into".split())
# What asks for an extreme, of quantities and of times.
_EXTREMES = {
    ("number", False): r"cheap\w*|least|lowest|smallest|shortest|lightest|fewest|minimum",
    ("number", True): r"most|highest|largest|biggest|longest|heaviest|maximum|priciest",
    ("time", False): r"first|earliest|oldest|soonest|next",
    ("time", True): r"last|latest|newest|recent\w*",
}


class Told:
    """The words of one task."""

    def __init__(self, text: str, today: str) -> None:
        self.text = text
        self.today = today
        self._words = Words([text], today)
        self._tokens = _tokens(text)
        self._extremes = {
            asked
            for asked, pattern in _EXTREMES.items()
            if re.search(rf"\b({pattern})\b", text.casefold())
        }

    def asks_for_extreme(self, scale: str, *, largest: bool) -> bool:
        """Whether the words ask for the smallest or largest of numbers or of times."""
        return (scale, largest) in self._extremes

    def literally(self, value: JsonValue) -> bool:
        """Whether the value was said, as admission sees it; a boolean or null was not."""
        return value is not None and not isinstance(value, bool) and self._words.hold(value)

    def loosely(self, value: JsonValue) -> bool:
        """The same, in any spelling and number."""
        if self.literally(value):
            return True
        wanted = "".join(_tokens(value)) if isinstance(value, str) else ""
        return bool(wanted) and any(
            "".join(self._tokens[at:end]) == wanted
            for at in range(len(self._tokens))
            for end in range(at + 1, min(at + 1 + _MOST_TOKENS, len(self._tokens) + 1))
        )

    def fragments(self, value: str) -> list[str]:
        """Patterns of the words in a short text that were said: `cleaner` of `Vacuum Cleaner`."""
        if len(value) > _MOST_LETTERS:
            return []
        said = set(self._tokens)
        stems = dict.fromkeys(_tokens(value))
        return [
            rf"(?i)\b{stem}"
            for stem in stems
            if stem in said and stem.isalpha() and len(stem) > 3 and stem not in _SMALL
        ]


def _tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFC", text).casefold()
    return [_stem(token) for token in _TOKEN.findall(folded)]


def _stem(token: str) -> str:
    token = token.removesuffix("'s").removesuffix("\u2019s")
    return token[:-1] if len(token) > 3 and token.endswith("s") else token
