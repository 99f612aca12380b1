"""Worlds whose policy wants a look: what may be written depends on what was read of its object.

There are a few objects, each of them free or not; every write of one, and whatever takes it back,
may make it the other. Some writes are for free objects alone, as the run has last seen them: it
reads them, or learns from the answer of a write how it left its object.
"""

import json
import random
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from pydantic import JsonValue
from sim_plans import (
    CATALOG,
    NAMES,
    PERMIT,
    RememberedPolicy,
    action_of,
    admitted,
    budgets_of,
    in_vain,
    step_of,
)

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.admit import Accepted
from executor.check.certificate import Options
from executor.plan.model import Plan
from executor.run.state import Place

LOOKED_PLANS = 160
LOOK = "shop.look"
_SINKS = {"sinks": {"o": "resource_id"}}
_PRICED = {"sinks": {"o": "resource_id", "x": "amount"}}
_TELLS = {"reads_as": "trusted", "answers_as": {"action": LOOK, "of": ["o"]}}
_EFFECTS = {
    "change": ("idempotent", "keyed", "lookup", "blind"),  # whatever it is
    "tell": ("keyed", "lookup"),  # and tells what it has become
    "book": ("idempotent", "keyed", "lookup", "blind"),  # what is free
    "bring": ("keyed", "lookup"),  # and tells what it has become
    "follow": ("keyed", "lookup"),  # what was changed by a call that is known to be done
}
_NAMES = tuple(f"{kind}_{effect}" for kind, effects in _EFFECTS.items() for effect in effects)
_FOR_FREE = tuple(each for each in _NAMES if each.startswith(("book", "bring")))
_BRING = ("bring_keyed", "bring_lookup")  # whose undo wants a look, too
FOLLOWING = frozenset(f"shop.follow_{effect}" for effect in _EFFECTS["follow"])
FOLLOWED = "shop.change_keyed"
RULED = frozenset(f"shop.{each}" for each in (*_FOR_FREE, *(f"release_{name}" for name in _BRING)))
TELLING = frozenset(
    (LOOK, *(f"shop.{each}" for each in _NAMES if each.startswith(("tell", "bring"))))
)
ABOUT_OBJECTS = frozenset(f"shop.release_{each}" for each in _NAMES)
DENIED = "it is not known to be free"
UNDO_S = 7200.0
Step = dict[str, Any]


def _about(name: str, effect: str) -> tuple[ActionSpec, ActionSpec]:
    """A write of an object, and what takes it back."""
    back = f"release_{name}"
    undo = {"action": f"shop.{back}", "args": [{"ref": "input/o", "to": "o"}], "deadline_s": UNDO_S}
    tells = _TELLS if f"shop.{name}" in TELLING else {}
    write = action_of(name, effect, undo=undo, **_PRICED, **tells)
    return write, action_of(back, "keyed", **_SINKS)


LOOKED_CATALOG = Catalog(
    (
        *CATALOG,
        action_of("look", "read", reads_as="trusted", **_SINKS),
        *(
            each
            for kind, effects in _EFFECTS.items()
            for effect in effects
            for each in _about(f"{kind}_{effect}", effect)
        ),
    )
)
LOOKED_POLICY = RememberedPolicy.parse(
    {"all": PERMIT}
    | {
        name: f'@message("{DENIED}") forbid (principal, action, resource == Operation::"{name}")'
        f' unless {{ context.read has "{LOOK}" && context.read["{LOOK}"].free }};'
        for name in sorted(RULED)
    }
    | {
        name: f'forbid (principal, action, resource == Operation::"{name}")'
        f' unless {{ context.run.same_object.contains("{FOLLOWED}") }};'
        for name in sorted(FOLLOWING)
    }
)


class Told(NamedTuple):
    """What somebody was told of an object, and when."""

    at: float
    number: int
    free: bool


class Objects:
    """The objects of one run at its services."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(f"objects {seed}")
        self._free = {each: self._rng.random() < 0.9 for each in (1, 2)}
        self.of: dict[Place, int] = {}  # which object a call is about
        self.told: list[Told] = []

    def meet(self, place: Place, arguments: Any) -> None:
        """A call has come."""
        if "o" in arguments:
            self.of[place] = int(arguments["o"])

    def change(self, place: Place) -> None:
        """A call has acted."""
        if place in self.of:
            self._free[self.of[place]] = self._rng.random() < 0.75

    def tell(self, place: Place, now: float) -> dict[str, JsonValue]:
        """How the object of a call stands; the answer is known by its number."""
        if place not in self.of:
            return {}
        number = self.of[place]
        self.told.append(Told(now, number, self._free[number]))
        return {"o": number, "free": self._free[number], "told": len(self.told) - 1}


_NAMED = {
    "look": ("look",),
    "free": (*_FOR_FREE, *_BRING, *_BRING),
    "write": (*_NAMES, *("change_keyed",) * 4),
    "follow": ("follow_keyed", "follow_lookup"),
    "any": NAMES,
}
_NEXT = {"look": "free", "change_keyed": "follow"}


def _step(rng: random.Random, name: str, before: list[Step]) -> Step:
    """A look, a write of an object, or anything else; often what the last step is good for."""
    last = before[-1]["action"].removeprefix("shop.") if before else ""
    kind = rng.choice(["look"] * 3 + ["free"] * 2 + ["write"] * 3 + ["any"])
    if rng.random() < 0.6:
        kind = _NEXT.get(last, "look")
    step = step_of(rng, name, before, _NAMED[kind])
    if kind == "any":
        return step
    step["args"].append(_number(rng, step, before) | {"to": "o"})
    looks = [each["id"] for each in before if each["action"] == LOOK]
    if kind == "free" and looks and rng.random() < 0.5:  # beside what else comes after that look
        step["after"] = [looks[-1]]
    elif before and rng.random() < 0.8:
        step["after"] = sorted({*step.get("after", ()), before[-1]["id"]})
    return step


def _plain(name: str, action: str, *args: Step, after: str = "") -> Step:
    args = ({"value": 1, "to": "x"}, *args)
    more = {"after": [after]} if after else {}
    return {"id": name, "action": f"shop.{action}", "args": [*args], **more}


def _beside(rng: random.Random) -> list[Step]:
    """A look, and then a write of what was seen beside one that wants it as it was seen."""
    number = {"value": 1, "to": "o"}
    names = [rng.choice(_NAMES), rng.choice(_FOR_FREE)]
    rng.shuffle(names)
    rest = (_plain(f"s{at}", each, number, after="s0") for at, each in enumerate(names, start=1))
    return [_plain("s0", "look", number), *rest]


def _another(rng: random.Random) -> list[Step]:
    """One object is changed, and another, or the same, is to follow."""
    seen, changed = rng.choice([(1, 2), (1, 2), (1, 1)])
    return [
        _plain("s0", "look", {"value": seen, "to": "o"}),
        _plain("s1", "change_keyed", {"value": changed, "to": "o"}),
        _plain("s2", rng.choice(_NAMED["follow"]), {"ref": "s0/o", "to": "o"}, after="s1"),
    ]


def _back(rng: random.Random) -> list[Step]:
    """What wants a look to be taken back, and then it comes to nothing beside a write in doubt."""
    number = {"value": 1, "to": "o"}
    steps = [
        _plain("s0", "look", number),
        _plain("s1", rng.choice(_BRING), number, after="s0"),
        _plain("s2", "read", after="s0"),
        _plain("s3", rng.choice(["change_lookup", "change_blind"]), number, after="s2"),
    ]
    return [*steps, in_vain(steps[:3])]


def _number(rng: random.Random, step: Step, before: list[Step]) -> Step:
    """How it names its object: by itself, as the last one did, or by what was answered."""
    if "each" in step:
        return {"ref": "each"}
    told = [each["id"] for each in before if each["action"] in TELLING and "each" not in each]
    if told and rng.random() < 0.3:
        return {"ref": f"{rng.choice(told)}/o"}
    values = [each["value"] for each in before[-1:] for each in each["args"]
              if each["to"] == "o" and "value" in each]  # fmt: skip
    if values and rng.random() < 0.7:
        return {"value": values[0]}
    return {"value": rng.choice([1, 1, 1, 2])}


@cache
def looked_plan_of(number: int) -> Accepted:
    """One of the plans that look before they write, always the same under the same number."""
    for tries in count():
        rng = random.Random(f"looked plan {number} {tries}")
        steps: list[Step] = []
        if rng.random() < 0.6:
            steps += rng.choice([_beside, _beside, _another, _another, _back, _back])(rng)
        for at in range(len(steps), rng.choice([2, 3, 3, 4, 4, 5])):
            steps.append(_step(rng, f"s{at}", steps))
        if rng.random() < 0.35:  # it comes to nothing in the end
            steps.append(in_vain(steps))
        answer = [{"ref": each["id"], "to": each["id"]} for each in steps]
        plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer}))
        options = Options(
            on_failure=rng.choice(["stop", "continue", *("undo",) * 3]),
            on_uncertain=rng.choice(["wait", "continue"]),
        )
        verdict = admitted(plan, options, budgets_of(rng), LOOKED_POLICY, LOOKED_CATALOG)
        is_ruled = any(each["action"] in RULED | FOLLOWING for each in steps)
        if isinstance(verdict, Accepted) and is_ruled:  # else it surely writes without a look
            return verdict
    raise AssertionError("one of them is accepted")
