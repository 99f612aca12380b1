"""What a server offers now beside what an operator accepted: the same is offered, the rest held.

The accepted definitions are the pin. A definition is offered only if it is, member by member, one
of them. Whatever differs - a word of a description, an optional argument, a hint - is held, and so
is what is new, renamed, or there twice. The whole set has one digest, which is what is accepted.
"""

import difflib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.body import json_flaw
from connectors.canonical import digest
from connectors.source import Change, Kind
from connectors.spec import JsonObject
from connectors.text import hides_something

Definitions = Mapping[str, JsonObject]
"""A server's definitions by its own names of the tools."""

LONGEST_DESCRIPTION = 1000
_LONGEST_DEFINITION = 200_000
_MOST_LINES = 200
_MOST_PAIRS = 40_000  # of lines that are compared, each with each


@dataclass(frozen=True)
class Compared:
    """What is offered, what is held and why, and the digest of all that the server gave."""

    offered: dict[str, JsonObject]
    changes: tuple[Change, ...]
    digest: str
    found: dict[str, JsonObject]  # what is pinned if this is accepted


def compare(pinned: Definitions, listed: Sequence[JsonObject]) -> Compared:
    """Tell apart what was accepted and what was not."""
    counted = Counter(_name(each) for each in listed)
    found, changes = dict[str, JsonObject](), list[Change]()
    for each in listed:
        name, flaw = _name(each), _flaw(each)
        if counted[name] > 1:
            flaw = "there are two of this name"
        if flaw is not None:
            changes.append(Change(shown(name)[:200], "unfit", (flaw,)))
        else:
            found[name] = each
    gone = {name: each for name, each in pinned.items() if name not in counted}
    by_content = {_content(each): name for name, each in gone.items()}
    offered = dict[str, JsonObject]()
    for name, each in found.items():
        before = pinned.get(name)
        if before is not None and digest(before) == digest(each):
            offered[name] = each
            continue
        old = by_content.get(_content(each)) if before is None else None
        kind: Kind = "changed" if before is not None else "renamed" if old is not None else "new"
        notes = tuple(_notes(each, old))
        changes.append(Change(shown(name), kind, notes, _diff(before or {}, each)))
    for name, each in gone.items():
        changes.append(Change(shown(name), "gone", (), _diff(each, {})))
    changes.sort(key=lambda each: (each.kind, each.tool))
    # What cannot be pinned is a part of what is looked at, too.
    whole = digest(
        {"tools": {**found}, "unfit": [shown_json(each) for each in _unfit(listed, found)]}
    )
    return Compared(offered, tuple(changes), whole, found)


def shown(text: str) -> str:
    """A stranger's text with every character that is not plain ASCII written out."""
    return json.dumps(text)[1:-1].replace('\\"', '"')


def shown_json(value: JsonObject) -> str:
    """The same of a definition, on several lines; it need not be JSON that all read alike."""
    return json.dumps(value, indent=2, sort_keys=True)


def _unfit(listed: Sequence[JsonObject], found: Definitions) -> Iterator[JsonObject]:
    for each in listed:
        if found.get(_name(each)) is not each:
            yield each


def _name(definition: JsonObject) -> str:
    name = definition.get("name")
    return name if isinstance(name, str) else ""


def _flaw(definition: JsonObject) -> str | None:
    """Why a definition cannot even be pinned."""
    name = _name(definition)
    if not 0 < len(name) <= 128:
        return "a name has 1 to 128 characters"
    if not name.isascii() or not name.isprintable():
        return "a name has visible ASCII characters only"
    if (flaw := json_flaw(definition)) is not None:
        return flaw
    if len(json.dumps(definition)) > _LONGEST_DEFINITION:
        return f"it is longer than {_LONGEST_DEFINITION} characters"
    return None


def _content(definition: JsonObject) -> str:
    return digest({key: value for key, value in definition.items() if key != "name"})


def _diff(before: JsonObject, after: JsonObject) -> tuple[str, ...]:
    old, new = (shown_json(each).splitlines() if each else [] for each in (before, after))
    if len(old) * len(new) > _MOST_PAIRS:
        old, new = _where_they_differ(old, new)
    if len(old) * len(new) > _MOST_PAIRS:
        # A server could have us compare lines for minutes.
        half = _MOST_LINES // 2
        return (
            *_cut([f"-{each}" for each in old], half),
            *_cut([f"+{each}" for each in new], half),
        )
    return tuple(_cut(list(difflib.unified_diff(old, new, lineterm="", n=2))[2:], _MOST_LINES))


def _where_they_differ(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Both without what they begin and end with alike, but for some lines around it."""
    least = min(len(old), len(new))
    first = next((at for at in range(least) if old[at] != new[at]), least)
    last = next((at for at in range(least - first) if old[-1 - at] != new[-1 - at]), least - first)
    begin, left_out = max(0, first - 2), max(0, last - 2)
    return old[begin : len(old) - left_out], new[begin : len(new) - left_out]


def _cut(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"... and {len(lines) - most} lines more"]


def _notes(definition: JsonObject, renamed_from: str | None) -> Iterator[str]:
    """What a reader should look at twice."""
    if renamed_from is not None:
        yield f"it is what {shown(renamed_from)} was"
    text = json.dumps(definition, ensure_ascii=False)
    if hides_something(text):
        hidden = sorted({f"U+{ord(c):04X}" for c in text if not c.isprintable()})
        yield f"it has characters that nobody sees: {', '.join(hidden[:10])}"
    for word in _mixed(text):
        yield f"a word has letters of several alphabets: {shown(word)[:100]}"
    description = definition.get("description")
    if isinstance(description, str) and len(description) > LONGEST_DESCRIPTION:
        yield f"of its description only the first {LONGEST_DESCRIPTION} characters are used"


def _mixed(text: str) -> Iterator[str]:
    """Words that mix Latin letters with those of another alphabet, some of which look alike."""
    if text.isascii():
        return
    for word in dict.fromkeys("".join(c if c.isalpha() else " " for c in text).split()):
        scripts = {unicodedata.name(c, "?").split()[0] for c in word}
        if not word.isascii() and "LATIN" in scripts and len(scripts) > 1:
            yield word
