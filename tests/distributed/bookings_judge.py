"""What is wrong with how a run at the hall has ended, by the hall's own books."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bookings import HallStorm, Wanted
from hall import Booked

NO_UNDO = ("final",)


@dataclass(frozen=True)
class Ended:
    """A run that is over: what was wanted, what it says of itself, and what the hall has booked."""

    wanted: Wanted
    row: Any
    trace: Any
    booked: dict[str, list[Booked]]
    given_up: frozenset[str]  # places of which somebody has said that nobody can tell

    def flaws(self) -> list[str]:
        """Everything that cannot be true of it, or must not be."""
        return [
            *self._of_effects(),
            *self._of_its_end(),
            *self._of_its_way(),
            *self._of_its_trace(),
        ]

    @cached_property
    def stands(self) -> set[str]:
        return {place for place, found in self.booked.items() if any(b.stands for b in found)}

    @cached_property
    def gone(self) -> set[str]:
        return self.booked.keys() - self.stands

    def listed(self, member: str) -> set[str]:
        """The places of a list of the row; a step whose items are not named is all of them."""
        names = {*self.row[member]}
        return names | {place for place in self.booked if _step(place) in names}

    def _of_effects(self) -> Iterator[str]:
        standing, uncertain, undone = map(self.listed, ("standing", "uncertain", "undone"))
        for place, found in self.booked.items():
            if len(found) > 1:
                yield f"{place}: booked {len(found)} times"
            if any(each.times_gone > 1 for each in found):
                yield f"{place}: taken back twice"
        yield from _each("is listed and does not stand", self._missing(self.row["standing"]))
        yield from _each("stands and is not listed", self.stands - standing - uncertain)
        yield from _each("is called undone and stands", self.stands & undone - standing - uncertain)
        yield from _each("is gone and not listed", self.gone - undone - uncertain)

    def _missing(self, names: list[str]) -> set[str]:
        """What is said to stand, of which nothing does."""
        steps = {_step(place) for place in self.stands}
        return {each for each in names if each not in self.stands | steps - self.items}

    @cached_property
    def items(self) -> set[str]:
        """Steps with items of which some are named."""
        named = [
            each for member in ("standing", "uncertain", "undone") for each in self.row[member]
        ]
        return {_step(each) for each in named if "[" in each}

    def _of_its_end(self) -> Iterator[str]:
        status, uncertain = self.row["status"], {*self.row["uncertain"]}
        if status == "succeeded":
            yield from _each("was left out", self.wanted.steps.keys() - self._steps_of(self.stands))
        if status == "succeeded" and (uncertain or self.gone):
            yield "succeeded, but not all of it"
        if status == "undone" and (self.stands or uncertain):
            yield "is undone, but not all of it"
        if status == "compensation_incomplete" and not (self.row["standing"] or uncertain):
            yield "is incomplete of nothing"
        if self.row["code"] != "cancelled" and status != "quarantined":
            yield from _each("is in doubt, and nobody gave it up", uncertain - self._may_be_unknown)

    @cached_property
    def _may_be_unknown(self) -> set[str]:
        return {*self.given_up} | {_step(each) for each in self.given_up}

    def _of_its_way(self) -> Iterator[str]:
        goes_back = self.wanted.on_failure == "undo" or self.row["code"] == "cancelled"
        if not goes_back:
            yield from _each("was taken back for nothing", self.gone)
        pivots = [each.came for place in self.booked for each in self.booked[place]
                  if each.by in NO_UNDO]  # fmt: skip
        for place, each in self._bookings():
            if pivots and each.gone is not None and each.gone > min(pivots):
                yield f"{place}: was taken back after a pivot"
            for other, late in self._bookings():
                is_after = _step(place) in self.wanted.before[_step(other)]
                if is_after and each.gone is not None and late.by not in NO_UNDO:
                    if late.gone is None or late.gone > each.gone:
                        yield f"{place}: was taken back before {other}, which came after it"
                if is_after and late.came < each.came:
                    yield f"{other}: was booked before {place}, which it comes after"

    def _bookings(self) -> Iterator[tuple[str, Booked]]:
        for place, found in self.booked.items():
            yield from ((place, each) for each in found)

    def _of_its_trace(self) -> Iterator[str]:
        told = {each["step"]: each for each in self.trace["steps"]}
        booked = self._steps_of({*self.booked})
        for step in self.wanted.steps:
            effect, state = told[step]["effect"], told[step]["state"]
            if effect.startswith("none") and step in booked:
                yield f"{step}: is told as {effect}, and was booked"
            if effect.startswith("applied") and "for 0 of" not in effect and step not in booked:
                yield f"{step}: is told as {effect}, and was never booked"
            is_free = not any(told[each]["state"] in ("failed", "blocked", "skipped")
                              for each in self.wanted.before[step])  # fmt: skip
            goes_on = self.wanted.on_failure == "continue" and self.row["status"] == "failed"
            if goes_on and is_free and state == "blocked":
                yield f"{step}: was left out, though nothing before it had failed"

    def _steps_of(self, places: set[str]) -> set[str]:
        return {_step(place) for place in places}


def flaws(storm: HallStorm) -> list[Any]:
    """All flaws of all runs, each with what tells of it."""
    books = storm.books()
    found = []
    for run, wanted in storm.wanted.items():
        given_up = frozenset(place for of, place in storm.given_up if of == run)
        ended = Ended(
            wanted, storm.rows[run], storm.traces[run], books.get(wanted.mark, {}), given_up
        )
        if flawed := ended.flaws():
            found.append((run, wanted.on_failure, flawed, ended.row, ended.booked))
    return found


def _each(what: str, places: set[str]) -> Iterator[str]:
    return (f"{place}: {what}" for place in sorted(places))


def _step(place: str) -> str:
    return place.partition("[")[0]
