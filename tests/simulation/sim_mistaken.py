"""Mistaken worlds: people, searches, jobs and answers say what is not so.

A call that was refused happens, and one that was answered does not; the service takes a call for
one that it knows, or does not know one again; a search misses what is there, or finds what is not;
a job is told as the other way round; a person, or the service by itself, is wrong.

Of a place about which nobody has erred the services' own ledger tells what is true, as in other
worlds. Of the others nobody can know more than what was told: to that the run has to be true.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from sim_process import WALL

from executor.run.state import Place, undo_place, undoes
from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

Word = Literal["yes", "no", "doubt"]
_FOUND: dict[str, Word] = {"applied": "yes", "absent": "no", "abandoned": "doubt", "answered": "no"}
_ENDED: dict[str, Word] = {
    "applied": "yes", "applied_unreadable": "yes", "refused": "no", "not_sent": "no",
}  # fmt: skip


class Mistaken:
    """Who errs in one world, and about what."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = random.Random(f"mistaken {seed}")
        self._likely = rng.choice([0.15, 0.4, 0.8])
        self._about: set[Place] = set()

    def errs(self, place: Place) -> bool:
        """Whether somebody is wrong about a place this time."""
        is_wrong = self._rng.random() < self._likely
        if is_wrong:
            self._about.add(undoes(place) or place)
        return is_wrong

    def has_erred(self, place: Place) -> bool:
        """Whether anybody was wrong about a place, or about what takes it back."""
        return (undoes(place) or place) in self._about

    def effects(
        self, history: "History", stored: Sequence[StoredEvent]
    ) -> Mapping[Place, list[float]]:
        """What happened, and what is said to have by those who may have been wrong."""
        real, told = history.services.effects, Words(stored).effects()
        return {place: each for place, each in real.items() if not self.has_erred(place)} | {
            place: each for place, each in told.items() if self.has_erred(place)
        }

    def doubts(self, stored: Sequence[StoredEvent]) -> set[Place]:
        """Where nobody knows, and somebody was wrong."""
        return {each for each in Words(stored).doubts() if self.has_erred(each)}


class Words:
    """What was told of each call, by whomever: the last word counts, and a yes after a no."""

    def __init__(self, stored: Iterable[StoredEvent]) -> None:
        self._calls: defaultdict[Place, dict[int, Word]] = defaultdict(dict)
        self._sent: set[tuple[Place, int]] = set()
        self._undone: set[Place] = set()  # that is told, whatever is said of a call afterwards
        self._since: dict[Place, float] = {}  # when the first yes was told
        found: dict[tuple[Place, int], str] = {}
        reads: set[Place] = set()
        for each in stored:
            data: Any = each.data
            if each.type == "undo.ended" and data["undone"]:
                back = undo_place((data["step"], data["iteration"]))
                if self.of(back) == "yes":
                    self._undone.add(back)
            if each.type not in ("intent.recorded", "attempt.ended", "reconcile.resolved"):
                continue
            place, n = (data["step"], data["iteration"]), data["n"]
            if place in reads or data.get("effect") == "read":
                reads.add(place)
                continue
            word: Word = "doubt"
            if each.type == "attempt.ended":
                self._sent.discard((place, n))  # it may be told anew, late
                self._sent |= {(place, n)} if data["state"] != "not_sent" else set()
                word = _ENDED.get(data["state"], "doubt")
                # An answer that nobody can read says no more than whoever left it unknown.
                is_more = found.get((place, n)) != "abandoned" or data["state"] == "applied"
                if (place, n) in found and not (word == "yes" and is_more):
                    continue
            elif each.type == "reconcile.resolved":
                word = _FOUND[data["resolution"]]
                found[place, n] = data["resolution"]
            self._calls[place][n] = word
            if word == "yes":
                self._since.setdefault(place, each.at - WALL)

    def was_sent(self, place: Place) -> bool:
        """Whether any call of a place left its process, or may have."""
        return any(at == place for at, _ in self._sent)

    def of(self, place: Place) -> Word | None:
        """What is known of all calls of a place together; None where there were none."""
        if place in self._undone:
            return "yes"
        words = {*self._calls[place].values()}
        return next((each for each in ("yes", "doubt", "no") if each in words), None)

    def effects(self) -> dict[Place, list[float]]:
        """Where something happened, and when that was told."""
        return {each: [self._since[each]] for each in self._calls if self.of(each) == "yes"}

    def doubts(self) -> set[Place]:
        """Where nobody knows."""
        return {each for each in self._calls if self.of(each) == "doubt"}
