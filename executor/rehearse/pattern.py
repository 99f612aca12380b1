"""A text that a regular expression takes: read once from left to right, choosing the least.

Only what has one obvious meaning in every dialect is read: literals, classes, groups,
alternatives, repetitions, and anchors, which add nothing. Look-around, back references and the
like are not, and neither is a wrong pattern. Whoever uses the text checks it.
"""

import string
from dataclasses import dataclass
from typing import Final

MOST_REPEATS: Final = 256
_DIGITS: Final = "1234567890"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD: Final = _LETTERS + _LETTERS.upper() + _DIGITS + "_"
_ANY: Final = _WORD + " !#$%&()*+,-./:;<=>?@[]^{|}~\"'`\\"
_NAMED: Final = {"d": _DIGITS, "w": _WORD, "s": " \t\n"}
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_ANCHORS: Final = "bBAzZ"


class _BeyondError(Exception):
    """The pattern says something that is not read here."""


def text_for(pattern: str, index: int = 0, stretch: int = 0) -> str | None:
    """A text for a pattern, another one for another index; None where it cannot be told.

    What may be repeated without end is repeated `stretch` times, if that is more than it must be.
    """
    reader = _Reader(pattern, index, stretch)
    try:
        found = reader.alternatives()
    except (_BeyondError, IndexError, ValueError):
        return None
    return found if reader.at == len(pattern) else None


@dataclass
class _Reader:
    pattern: str
    index: int
    stretch: int
    at: int = 0

    def alternatives(self) -> str:
        """Parts with `|` between them: the first one."""
        first = self._sequence()
        while self._is("|"):
            self.at += 1
            self._sequence()
        return first

    def _sequence(self) -> str:
        built = ""
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            piece = self._atom()
            built += piece * self._repeats() if len(piece) <= MOST_REPEATS else piece
            if len(built) > MOST_REPEATS * MOST_REPEATS:
                raise _BeyondError
        return built

    def _atom(self) -> str:
        char = self._next()
        match char:
            case "^" | "$":
                return ""
            case ".":
                return self._one(_LETTERS)
            case "[":
                return self._one(self._class())
            case "(":
                return self._group()
            case "\\":
                return self._escaped()
            case "*" | "+" | "?" | "{":
                raise _BeyondError
            case _:
                return char

    def _group(self) -> str:
        if self._is("?"):
            self.at += 1
            kind = self._next()
            if kind == "P":
                kind = self._next()
            if kind == "<" and not self._is("=") and not self._is("!"):
                self.at = self.pattern.index(">", self.at) + 1
            elif kind != ":":
                raise _BeyondError
        inside = self.alternatives()
        if self._next() != ")":
            raise _BeyondError
        return inside

    def _escaped(self) -> str:
        char = self._next()
        if char in _ANCHORS:
            return ""
        return self._one(self._escape(char))

    def _escape(self, char: str) -> str:
        """What an escape stands for, as the characters to choose from."""
        if char in _NAMED:
            return _NAMED[char]
        if char.lower() in _NAMED:
            return _without(_NAMED[char.lower()])
        if char in _CONTROL:
            return _CONTROL[char]
        if char in "xu":
            digits = 2 if char == "x" else 4
            self.at += digits
            return chr(int(self.pattern[self.at - digits : self.at], 16))
        if char in string.ascii_letters + string.digits:
            raise _BeyondError
        return char

    def _class(self) -> str:
        """The characters of a class, those that are good to read first."""
        is_negated = self._is("^")
        self.at += is_negated
        chosen = ""
        while not self._is("]") or not chosen:
            char = self._next()
            found = self._escape(self._next()) if char == "\\" else char
            if self._is("-") and self.pattern[self.at + 1] != "]" and len(found) == 1:
                self.at += 1
                last = self._next()
                last = self._escape(self._next()) if last == "\\" else last
                found = _range(found, last)
            chosen += found
        self.at += 1
        return _without(chosen) if is_negated else chosen

    def _repeats(self) -> int:
        """How often what stands before is repeated: as little as may be, but for `stretch`."""
        low, high = 1, 1
        if self._is("*") or self._is("+") or self._is("?"):
            char = self._next()
            low, high = int(char == "+"), 1 if char == "?" else MOST_REPEATS
        elif self._is("{"):
            end = self.pattern.index("}", self.at)
            least, comma, most = self.pattern[self.at + 1 : end].partition(",")
            low = int(least or "0")
            high = low if not comma else int(most) if most else MOST_REPEATS
            self.at = end + 1
        else:
            return 1
        if self._is("?") or self._is("+"):
            self.at += 1  # lazy or possessive: the same texts
        repeats = low if high == 1 else min(max(low, self.stretch), high)
        if repeats > MOST_REPEATS:
            raise _BeyondError
        return repeats

    def _one(self, chosen: str) -> str:
        if not chosen:
            raise _BeyondError
        return chosen[self.index % len(chosen)]

    def _is(self, char: str) -> bool:
        return self.at < len(self.pattern) and self.pattern[self.at] == char

    def _next(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1]


def _range(first: str, last: str) -> str:
    if len(last) != 1 or ord(last) < ord(first):
        raise _BeyondError
    chars = [chr(each) for each in range(ord(first), min(ord(last), ord(first) + 255) + 1)]
    if chars[0] == "0" and len(chars) > 1:
        chars = [*chars[1:], "0"]
    return "".join(chars)


def _without(chosen: str) -> str:
    return "".join(char for char in _ANY if char not in chosen)
