"""What a task's words say: the ground on which a converter may stand.

A literal argument is said as admission understands it (`executor.check.words`). A condition is
only there to choose, so it may also be said in another spelling: `credit card` says
`credit_card`, and `water bottles` says `Water Bottle`.
"""

import re
import unicodedata
from decimal import Decimal

from pydantic import JsonValue

from benchmarks.admission.sums import Figure
from executor.check.words import Words

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([ T]\d\d:\d\d(?::\d\d)?)?")
_FUTURE = re.compile(r"\b(future|upcoming|next)\b")
_CONDITIONAL = re.compile(r"\b(if|unless|otherwise|whether)\b")
_OVERDUE = re.compile(r"\boverdue\b")
_HOURS = re.compile(r"(\d+(?:\.\d+)?)[\s-]*hours?")
_MINUTES = re.compile(r"(\d+)[\s-]*minutes?")
_FIGURE = re.compile(r"(?<![\w.,:/#-])(\d+(?:\.\d+)?)(\s?%)?(?![\w:/-]|[.,]\d)")
_BY_VALUE = re.compile(r"\d{4}-\d\d-\d\d|-?(?:0|[1-9]\d*)(?:\.\d+)?|[A-Z]{3}|\W+")
_MOST_TOKENS = 8
_MOST_LETTERS = 80
_OF_ANYTHING = ("yes", "no")
_SMALL = frozenset("with from that this have your will been they them their what when into".split())
# What asks for an extreme, of quantities and of times.
_EXTREMES = {
    ("number", False): r"cheap\w*|least|lowest|smallest|shortest|lightest|fewest|minimum",
    ("number", True): r"most|highest|largest|biggest|longest|heaviest|maximum|priciest",
    ("time", False): r"first|earliest|oldest|soonest|next|urgent",
    ("time", True): r"last|latest|newest|recent\w*",
}


class Told:
    """The words of one task."""

    def __init__(self, text: str, today: str) -> None:
        self.text = text
        self.today = today
        self._words = Words([text], today)
        self._tokens = _tokens(text)
        self._runs = {
            "".join(self._tokens[at:end])
            for at in range(len(self._tokens))
            for end in range(at + 1, min(at + 1 + _MOST_TOKENS, len(self._tokens) + 1))
        }
        self._asked: dict[str, tuple[bool, bool]] = {}  # literally, loosely
        self._extremes = {
            asked
            for asked, pattern in _EXTREMES.items()
            if re.search(rf"\b({pattern})\b", text.casefold())
        }

    def asks_for_extreme(self, scale: str, *, largest: bool) -> bool:
        """Whether the words ask for the smallest or largest of numbers or of times."""
        return (scale, largest) in self._extremes

    def is_conditional(self) -> bool:
        """Whether something is to be done only in some case."""
        return _CONDITIONAL.search(self.text.casefold()) is not None

    def literally(self, value: JsonValue) -> bool:
        """Whether the value was said, as admission sees it; a boolean or null was not."""
        return self._is_said(value)[0]

    def loosely(self, value: JsonValue) -> bool:
        """The same, in any spelling and number; a mere yes or no has to stand in quotes."""
        is_any = value in _OF_ANYTHING and f"'{value}'" not in self.text
        return not is_any and self._is_said(value)[1]

    def in_other_order(self, text: str) -> bool:
        """Whether every word of the text was said somewhere."""
        wanted = _tokens(text)
        are_words = bool(wanted) and all(each.isalpha() for each in wanted)
        return are_words and set(wanted) <= set(self._tokens)

    def _is_said(self, value: JsonValue) -> tuple[bool, bool]:
        if value is None or isinstance(value, bool):
            return False, False
        key = repr(value)
        if key not in self._asked:
            is_spelt = self._is_spelt(value)
            # A text that is said literally is spelt so too, but for dates and numbers.
            may_be = is_spelt or not isinstance(value, str) or _BY_VALUE.fullmatch(value)
            literally = bool(may_be) and self._words.hold(value)
            self._asked[key] = literally, literally or is_spelt
        return self._asked[key]

    def _is_spelt(self, value: JsonValue) -> bool:
        if not isinstance(value, str) or len(value) > len(self.text) + _MOST_TOKENS:
            return False
        wanted = _tokens(value)
        if len(wanted) <= _MOST_TOKENS:
            return "".join(wanted) in self._runs
        size = len(wanted)
        starts = range(len(self._tokens) - size + 1)
        return any(self._tokens[at : at + size] == wanted for at in starts)

    def times(self, value: str) -> list[tuple[str, str]]:
        """Comparisons that a date or local time meets: the day that was said, future, overdue."""
        found = _DATE_TIME.fullmatch(value)
        if found is None:
            return []
        clauses = []
        if found.group(2) and self.literally(found.group(1)):
            clauses.append(("matches", f"^{found.group(1)}"))
        now = self.today + (" 00:00:00" if found.group(2) else "")
        if _FUTURE.search(self.text.casefold()) and value >= now:
            clauses.append((">=", now))
        if _OVERDUE.search(self.text.casefold()) and value < now:
            clauses.append(("<", now))
        return clauses

    def moment(self, value: str) -> bool:
        """Whether a date-time was said: its date, and its time of day as people write it."""
        found = _DATE_TIME.fullmatch(value)
        if found is None or not found.group(2) or not self.literally(found.group(1)):
            return False
        hour, minute = int(found.group(2)[1:3]), found.group(2)[4:6]
        half = hour % 12 or 12
        written = rf"0?{hour}:{minute}|0?{half}:{minute}\s*[ap]\.?m"
        if minute == "00":
            written += rf"|{half}\s*[ap]\.?m|at {hour}(?![:\d])"
        return re.search(rf"(?<!\d)({written})", self.text.casefold()) is not None

    def with_cents(self, value: JsonValue) -> bool:
        """Whether a number was said with two decimals, as amounts are: `10.00` counts nothing."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return re.search(rf"(?<![\d.,]){value:.2f}(?!\d)", self.text) is not None

    def figures(self) -> list[Figure]:
        """The numbers of the words that are no part of a date, a time or a name."""
        return [
            Figure(Decimal(number).scaleb(-2 if share else 0), bool(share))
            for number, share in _FIGURE.findall(self.text)
        ]

    def minutes(self, value: str) -> bool:
        """Whether so many minutes were said, as minutes or as hours."""
        text = (
            self.text.casefold().replace("half-hour", "30 minute").replace("half hour", "30 minute")
        )
        said = {float(each) * 60 for each in _HOURS.findall(text)}
        said |= {float(each) for each in _MINUTES.findall(text)}
        return value.isdigit() and float(value) in said

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
