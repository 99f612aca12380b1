"""The little world, with effects that can be undone, pivots, and people who cancel with undo."""

import random
from dataclasses import dataclass
from typing import Any

from run_cases import PERMIT, Play, accept, policy, ref, step, value
from run_world import ASKING, FOUR, World
from undo_cases import ACTIONS, TAKERS, WRITES

from executor.check.certificate import Options
from executor.plan.graph import graph, upstream
from executor.run.commands import Command, Finish, LookUp, OpenGate, Perform
from executor.run.effects import shown
from executor.run.state import Place, undo_place, undoes

NAMES = (
    *(f"shop.{effect}_by_{by}" for effect in WRITES for by in TAKERS),
    "shop.safe", "shop.safe", "shop.beside", "shop.beside", "shop.beside", "shop.brief",
    "shop.pivot", "shop.pivot", "shop.pivot", "shop.final",
    "shop.blind", "shop.read", "shop.lookup",
)  # fmt: skip


def random_play_back(rng: random.Random) -> Play:
    """A run of a small plan, most of whose effects can be undone."""
    steps: list[dict[str, Any]] = []
    for number in range(rng.randint(2, 6)):
        args, more = [value(number, "x")], dict[str, Any]()
        before = [each["id"] for each in steps]
        if before and rng.random() < 0.6:
            more["after"] = rng.sample(before, rng.randint(1, min(2, len(before))))
        if rng.random() < 0.25:
            more["each"] = "input/list"
            args.append(ref("each", "item"))
        if rng.random() < 0.25:
            more["expect"] = [{"left": "result/ok", "op": "==", "value": True}]
        if rng.random() < 0.2:
            more["when"] = [{"left": "input/n", "op": "!=", "value": 3}]
        steps.append(step(f"s{number}", rng.choice(NAMES), *args, **more))
    options = Options(
        on_failure=rng.choice(["undo", "undo", "undo", "stop", "continue"]),
        on_uncertain=rng.choice(["wait", "continue"]),
    )
    rules = rng.choice([PERMIT, PERMIT, ASKING, FOUR if len(steps) < 4 else PERMIT])
    numbers = [*range(rng.randint(1, 3))]
    return Play(
        accept(*steps, rules=rules, options=options, more=ACTIONS, list=numbers, n=2),
        policy(rules),
    )


@dataclass
class WorldBack(World):
    """Judges the way back by what really happened."""

    modes: tuple[str, ...] = ("undo", "undo", "stop")

    def _check(self, command: Command) -> None:
        state = self.run.state
        if not isinstance(command, Perform | LookUp | OpenGate):
            return
        place = (command.step, command.iteration)
        target = undoes(place)
        if target is not None:
            self._check_undo(command, place, target)
        elif isinstance(command, Perform) and state.cancelled is not None:
            assert state.cancelled.mode == "undo"
            assert state.in_doubt(place) is not None
            self._check_repetition(command, place)
        else:
            super()._check(command)

    def _check_undo(self, command: Command, place: Place, target: Place) -> None:
        """Nothing depends on it any more, no pivot has happened, and it is its turn."""
        run = self.run
        assert place not in run.flying
        assert target not in run.flying
        if not isinstance(command, Perform):
            assert run.state.in_doubt(place) is not None
            return
        self._check_repetition(command, place)
        assert not any(self._is_pivot(other) for other, found in self.effects.items() if found)
        others = [each for each in run.flying if undoes(each) is not None]
        both = [self._action(target), *(self._action(undoes(each) or each) for each in others)]
        assert not others or set(both) == {"shop.beside"}
        for other, found in self.effects.items():
            if found and undoes(other) is None and self._depends(other, target):
                assert not self._can(other) or self.effects[undo_place(other)]

    def _action(self, place: Place) -> str:
        steps = {each.id: each.action for each in self.run.accepted.plan.steps}
        return steps[place[0]]

    def _is_pivot(self, place: Place) -> bool:
        return undoes(place) is None and self._action(place) == "shop.pivot"

    def _can(self, place: Place) -> bool:
        decision = self.run.accepted.certificate.undo_of(place[0])
        return decision is not None and decision.kind == "can"

    def _depends(self, other: Place, target: Place) -> bool:
        return target[0] in upstream(graph(self.run.accepted.plan), other[0])

    def _judge(self, finish: Finish) -> None:
        state = self.run.state
        for place, found in self.effects.items():
            assert len(found) <= 1, f"{place} acted {len(found)} times"
        real = {place for place, found in self.effects.items() if found and undoes(place) is None}
        taken = {place for place in real if self.effects[undo_place(place)]}
        for place in real:
            name = shown(place) if state.undos else place[0]
            if place in taken:
                assert name in {*finish.undone, *finish.uncertain}, place
            else:
                assert name in {*finish.standing, *finish.uncertain}, place
                assert name not in finish.undone
        names = {shown(place) if state.undos else place[0] for place in real}
        assert {*finish.standing} <= names
        self._judge_status(finish, real, taken)

    def _judge_status(self, finish: Finish, real: set[Place], taken: set[Place]) -> None:
        state = self.run.state
        if any(self._is_pivot(place) for place in real):
            assert not taken
            assert finish.status not in ("undone", "compensation_incomplete")
        match finish.status:
            case "undone":
                assert finish.undone
                assert not finish.standing
                assert not finish.uncertain
            case "compensation_incomplete":
                assert finish.standing or finish.uncertain
                wanted = state.cancelled is None or state.cancelled.mode == "undo"
                for place in real if wanted else ():
                    # Whatever could be undone was, or it is told why not.
                    if self._can(place) and not any(
                        each.is_abandoned for each in state.attempts[place]
                    ):
                        ended = state.undos[place].ended
                        assert ended is not None
                        assert ended.undone or ended.code, place
            case status:
                assert status in ("succeeded", "failed", "cancelled")
                assert not taken
                if status == "succeeded":
                    assert not finish.uncertain
