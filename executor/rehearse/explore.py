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

from executor.rehearse.answers import Script
from executor.rehearse.branches import Branch, Outcome, outcomes
from executor.rehearse.stage import Performance
from executor.rehearse.turns import Turns

Way = tuple[Branch, bool]
Play = Callable[[Script], Performance]


@dataclass(frozen=True)
class Bounds:
    """How much is tried: elements of a list, scenarios that are shown, plays on the way there."""

    size: int = 2
    scenarios: int = 12
    tries: int = 200
    setbacks: int = 24


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
        gone_well = sum(each.value for each in self.outcomes) - sum(
            not each.value for each in self.outcomes
        )
        return -len(state.failed), len(state.done), gone_well


@dataclass
class Exploration:
    """The search for the scenarios of one plan."""

    play: Play
    turns: Turns
    bounds: Bounds
    tried: int = 0
    shown: set[Way] = field(default_factory=set)
    _seen: set[tuple[tuple[str, bytes], ...]] = field(default_factory=set)

    def scenes(self) -> list[Scene]:
        """The scenarios, the one that goes best first."""
        found = [self._best(self._scene(Script(self.bounds.size)))]
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
            badly = [each for each in scene.outcomes if not each.value]
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
            for new in self._turned(scene, [outcome]):
                if missing in new.ways:
                    yield new
                    break

    def _turned(self, scene: Scene, which: list[Outcome]) -> Iterator[Scene]:
        for outcome in which:
            for script in self.turns.of(outcome, scene.performance.script):
                if self.tried >= self.bounds.tries:
                    return
                if script.key in self._seen:
                    continue
                self._seen.add(script.key)
                new = self._scene(script)
                if not any(place[0] in script.variations for place in new.performance.unfakeable):
                    yield new

    def _scene(self, script: Script) -> Scene:
        self.tried += 1
        performance = self.play(script)
        accepted = self.turns.accepted
        return Scene(performance, tuple(outcomes(accepted, performance.state)))
