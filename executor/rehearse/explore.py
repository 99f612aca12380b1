"""Looks for scenarios in which every branch of a plan goes both ways, within bounds.

1. The plan is played with plain answers. What went badly is turned, one branch after the other, as
   long as the plan gets further: so there is one scenario in which all goes as far as it can.
2. From there each way that no scenario has shown yet is tried for. What shows a new one is kept,
   and looked at in the same manner.

What is tried, and in which order, follows from the plan and the answers alone.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from executor.rehearse.answers import Script
from executor.rehearse.branches import Branch, Outcome, outcomes
from executor.rehearse.stage import Performance
from executor.rehearse.turns import Turns

Way = tuple[Branch, bool]
Play = Callable[[Script], Performance]


@dataclass(frozen=True)
class Bounds:
    """How much is tried: elements of a list, scenarios and setbacks that are shown, work for it.

    The work is plays, and what all decisions look back on; it is counted, so that the same is tried
    however busy the machine is.
    """

    size: int = 2
    scenarios: int = 12
    setbacks: int = 24
    tries: int = 200
    work: int = 60_000


@dataclass(frozen=True)
class Scene:
    """A performance with the ways that it shows."""

    performance: Performance
    outcomes: tuple[Outcome, ...]

    @cached_property
    def ways(self) -> frozenset[Way]:
        """Every branch that was come to, with the way it went."""
        return frozenset((each.branch, each.value) for each in self.outcomes)

    @cached_property
    def merit(self) -> tuple[int, int, int]:
        """How far the plan got: no failures, most steps done, most branches gone well."""
        state = self.performance.state
        well = sum(1 if each.value else -1 for each in self.outcomes if is_good_or_bad(each))
        return -len(state.failed), len(state.done), well


@dataclass
class Exploration:
    """The search for the scenarios of one plan."""

    play: Play
    turns: Turns
    bounds: Bounds
    tried: int = 0
    worked: int = 0
    shown: set[Way] = field(default_factory=set)
    _played: dict[tuple[tuple[str, bytes], ...], Scene] = field(default_factory=dict)

    def scenes(self) -> list[Scene]:
        """The scenarios, the one that goes best first."""
        first = self._scene(Script(self.bounds.size))
        if first is None:
            return []
        found = [self._best(first)]
        self.shown |= found[0].ways
        queue = deque(found)
        while queue and len(found) < self.bounds.scenarios:
            for scene in self._others(queue.popleft()):
                self.shown |= scene.ways
                found.append(scene)
                queue.append(scene)
                if len(found) >= self.bounds.scenarios:
                    break
        return found

    def _best(self, scene: Scene) -> Scene:
        """Turn what went badly, as long as the plan gets further by it."""
        while True:
            badly = [each for each in scene.outcomes if is_good_or_bad(each) and not each.value]
            better = next(
                (new for new in self._turned(scene, badly) if new.merit > scene.merit), None
            )
            if better is None:
                return scene
            scene = better

    def _others(self, scene: Scene) -> Iterator[Scene]:
        """Scenarios that show a way which none has shown before."""
        for outcome in scene.outcomes:
            missing = (outcome.branch, not outcome.value)
            if missing in self.shown:
                continue
            # What was played on the way is plainer than what is played for this.
            known = (each for each in [*self._played.values()] if _is_usable(each))
            tries = chain(known, self._turned(scene, [outcome]))
            new = next((each for each in tries if missing in each.ways), None)
            if new is not None:
                yield new

    def _turned(self, scene: Scene, which: list[Outcome]) -> Iterator[Scene]:
        for outcome in which:
            for script in self.turns.of(outcome, scene.performance.script):
                new = self._played.get(script.key) or self._scene(script)
                if new is None:
                    return
                if _is_usable(new):
                    yield new

    def _scene(self, script: Script) -> Scene | None:
        """Play a script, unless enough has been done."""
        if self.tried >= self.bounds.tries or self.worked >= self.bounds.work:
            return None
        self.tried += 1
        performance = self.play(script)
        self.worked += performance.work
        found = outcomes(self.turns.accepted, performance.state)
        scene = self._played[script.key] = Scene(performance, tuple(found))
        return scene


def _is_usable(scene: Scene) -> bool:
    """Whether the answers that were wished for could be made up."""
    performance = scene.performance
    return not any(place[0] in performance.script.variations for place in performance.unfakeable)


def is_good_or_bad(outcome: Outcome) -> bool:
    """Whether one way of a branch gets a plan further than the other."""
    return outcome.branch.kind != "asks"
