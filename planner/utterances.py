"""Which playbook a request means: by the form of its utterances, else by the words they share.

A match is measured by the share of one utterance's words that the request has. A word counts
the less the more playbooks use it, so "order" alone never tells which one is meant. An
utterance whose words all stand there in order also captures what stands in its `{places}`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import re2

from executor.check.playbook import Playbook
from planner.stems import WORD, stems

MATCHES_FROM = 0.6
MARGIN = 0.1
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_AROUND = " \t\n,:"


@dataclass(frozen=True)
class Match:
    """How well one playbook fits: `words` are those of its best utterance that were said.

    `captures` says where in the text each `{place}` of that utterance stands, if it has its form.
    """

    playbook: Playbook
    score: float
    in_form: bool = False
    words: frozenset[str] = frozenset()
    captures: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def beats(self, other: "Match") -> bool:
        """Whether this is clearly meant rather than the other."""
        if self.score - other.score >= MARGIN:
            return True
        more_form = self.in_form and not other.in_form
        return other.words < self.words or (more_form and other.words <= self.words)


def matches(playbooks: Sequence[Playbook], text: str) -> tuple[Match, ...]:
    """Every playbook that fits well enough, the best first; the order is stable."""
    used = Counter(word for each in playbooks for word in _all_words(each))
    said = frozenset(stems(text))
    found = [_best(each, text, said, used) for each in playbooks]
    good = [each for each in found if each.score >= MATCHES_FROM]
    return tuple(sorted(good, key=lambda each: (*_rank(each), each.playbook.name)))


def rivals(found: Sequence[Match]) -> tuple[Match, ...]:
    """The best match and those that it does not clearly beat: one, if the words are clear."""
    return tuple(each for each in found if each is found[0] or not found[0].beats(each))


def _best(playbook: Playbook, text: str, said: frozenset[str], used: Mapping[str, int]) -> Match:
    every = [_match(playbook, utterance, text, said, used) for utterance in playbook.utterances]
    return min(every, key=_rank, default=Match(playbook, 0.0))


def _rank(match: Match) -> tuple[float, bool, int, int]:
    return (-match.score, not match.in_form, -len(match.words), -len(match.captures))


def _match(
    playbook: Playbook, utterance: str, text: str, said: frozenset[str], used: Mapping[str, int]
) -> Match:
    words = _words_of_utterance(utterance)
    there = words & said
    if not there:
        return Match(playbook, 0.0)
    if there == words and (captures := _captures(utterance, text)) is not None:
        return Match(playbook, 1.0, True, words, captures)
    weight = {word: 1 / max(1, used[word]) for word in sorted(words)}
    score = sum(weight[word] for word in sorted(there)) / sum(weight.values())
    return Match(playbook, round(score, 6), False, there)


def _captures(utterance: str, text: str) -> dict[str, tuple[int, int]] | None:
    """What stands in an utterance's places, or None where its words do not stand so."""
    places = _PLACE.findall(utterance)
    if len(set(places)) < len(places):
        return None
    found = _compiled(utterance).search(text)
    if found is None:
        return None
    return {name: _stripped(text, *found.span(group)) for group, name in enumerate(places, 1)}


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without the blanks and commas at its ends."""
    inner = text[start:end].strip(_AROUND)
    first = end if not inner else start + text[start:end].index(inner)
    return first, first + len(inner)


class _Pattern(Protocol):
    def search(self, text: str) -> "re.Match[str] | None": ...


@lru_cache(maxsize=4096)
def _compiled(utterance: str) -> _Pattern:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    compiled: _Pattern = re2.compile(_pattern(utterance), options)
    return compiled


def _pattern(utterance: str) -> str:
    """The words in order, with blanks and punctuation between; a place is one to eight words."""
    pieces = _PLACE.split(utterance)
    parts: list[str] = []
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            parts += [re2.escape(word) for word in WORD.findall(piece)]
        elif index == len(pieces) - 2 and not WORD.search(pieces[-1]):
            parts.append(rf"(?P<{piece}>[^.!?;\n]+(?:[.][^\s.!?;]+)*)")
        else:
            parts.append(rf"(?P<{piece}>\S+(?:\s+\S+){{0,7}}?)")
    between = r"(?:[\s\pP]+)"
    return rf"(?:^|[^\pL\pN]){between.join(parts)}(?:$|[^\pL\pN])"


def _all_words(playbook: Playbook) -> frozenset[str]:
    return frozenset(word for each in playbook.utterances for word in _words_of_utterance(each))


@lru_cache(maxsize=4096)
def _words_of_utterance(utterance: str) -> frozenset[str]:
    return frozenset(stems(_PLACE.sub(" ", utterance)))
