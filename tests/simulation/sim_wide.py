"""Wider worlds: what asks, what changes, what is safe to undo.

policies ask one role or two, one person or two, by value or by what the run did, and are
changed in mid-run; one approval covers a whole plan, and may be narrowed; calls ask a person
before they go on; undos do no harm where there is nothing, or go beside each other; a run is
put aside; a process that died is found by the watch, or is drained
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sim_plans import (
    CATALOG,
    FIND,
    NAMES,
    PERMIT,
    STATUS,
    RememberedPolicy,
    action_of,
    admitted,
    budgets_of,
    step_of,
)

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import Accepted
from executor.check.budgets import Budgets
from executor.check.certificate import Options
from executor.plan.model import Plan

WIDE_PLANS = 160
ROLES = ("approver", "finance")
PEOPLE = (
    Principal("first", "main", frozenset({"approver"})),
    Principal("second", "main", frozenset({"finance"})),
    Principal("third", "main", frozenset(ROLES)),
    Principal("fourth", "main", frozenset(ROLES)),
)
SAFE = {
    "action": "shop.release_safe", "args": [{"ref": "input/x", "to": "x"}],
    "safe_when_absent": True, "deadline_s": 7200.0,
}  # fmt: skip
ASKS = {"sure": {"message": "Are you sure?", "schema": {"type": "object"}}}
RULED = ("ruled_keyed", "ruled_lookup", "ruled_blind")


def _beside() -> dict[str, Any]:
    return {
        "action": "shop.release_beside", "args": [{"ref": "result/id", "to": "id"}],
        "parallel": True, "deadline_s": 7200.0,
    }  # fmt: skip


_MORE: tuple[ActionSpec, ...] = (
    action_of("safe_blind", "blind", undo=SAFE),
    action_of("safe_lookup", "lookup", undo=SAFE),
    action_of("safe_keyed", "keyed", undo=SAFE),
    action_of("safe_slow", "keyed", status=STATUS, undo=SAFE),
    action_of("beside_keyed", "keyed", undo=_beside()),
    action_of("beside_lookup", "lookup", undo=_beside()),
    action_of("ruled_keyed", "keyed"),
    action_of("ruled_lookup", "lookup"),
    action_of("ruled_blind", "blind"),
    action_of("asking_read", "read"),
    action_of("asking_keyed", "keyed", lookup=FIND),
    action_of("asking_blind", "blind"),
    *(action_of(f"release_{name}", "keyed") for name in ("safe", "beside", *RULED)),
    *(action_of(f"release_asking_{name}", "keyed") for name in ("keyed", "blind")),
)
# In every eighth plan also what is taken back by what it was called with alone, or asks before it.
_PLAIN = SAFE | {"action": "shop.release_plain", "safe_when_absent": False}
_EIGHTH = (
    action_of("plain_blind", "blind", undo=_PLAIN),
    action_of("plain_keyed", "keyed", undo=_PLAIN),
    action_of("plain_idempotent", "idempotent", undo=_PLAIN),
    action_of("asking_safe", "blind", undo=SAFE),
    action_of("release_plain", "keyed"),
)
WIDE_CATALOG = Catalog((*CATALOG, *_MORE, *_EIGHTH))
_WIDE_NAMES, _EIGHTH_NAMES = (
    tuple(
        name for each in actions
        if not (name := each.name.removeprefix("shop.")).startswith("release")
    )
    for actions in (_MORE, (*_MORE, *_EIGHTH, *_EIGHTH, *_EIGHTH))
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """How people are to be asked about the calls that are ruled by policy."""

    roles: tuple[str, ...] = ("approver",)
    quorum: int = 1
    least: int = 0  # from which value of `x` on
    writes: int = 0  # after how many writes of the run
    each_call: bool = False
    denies: str = ""
    said: str = "look"
    beside: int = 0  # how many policies there are that say nothing of it

    @property
    def policy(self) -> RememberedPolicy:
        """The texts."""
        return _policy_of(self)

    def text(self, role: str) -> tuple[object, ...]:
        """What people of a role are told: another text is another question."""
        how = (self.quorum, self.least, self.writes, self.each_call, self.said)
        return how if role in self.roles else ()

    def asks(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, int] | None:
        """How many people of each role it asks of a call at least; None: it lets nobody call it."""
        if action == self.denies:
            return None
        x = arguments.get("x")
        is_asked = action in RULED and not self.writes and isinstance(x, int) and x >= self.least
        return dict.fromkeys(self.roles, self.quorum) if is_asked else {}


@cache
def _policy_of(variant: Variant) -> RememberedPolicy:
    texts = {"all": PERMIT} | {f"more_{n}": PERMIT for n in range(variant.beside)}
    each_call = '@each_call("yes") ' if variant.each_call else ""
    when = f" when {{ context.args has x && context.args.x >= {variant.least} }}"
    if variant.writes:
        when = f" when {{ context.run.writes >= {variant.writes} }}"
    for name in RULED:
        for role in variant.roles:
            texts[f"{name}_{role}"] = (
                f'@id("{name}-{role}") @approval("{role}") @quorum("{variant.quorum}") '
                f'@message("{variant.said}") {each_call}'
                f'forbid (principal, action, resource == Operation::"shop.{name}"){when}'
                f' unless {{ context.approvals.contains("{role}") }};'
            )
    if variant.denies:
        texts["denied"] = (
            f'forbid (principal, action, resource == Operation::"shop.{variant.denies}");'
        )
    return RememberedPolicy.parse(texts)


VARIANTS = (
    Variant(), Variant(quorum=2), Variant(roles=ROLES), Variant(least=2),
    Variant(writes=1), Variant(each_call=True), Variant(roles=()),
)  # fmt: skip


def _changes(variant: Variant) -> tuple[Variant, ...]:
    """What may become of a policy in mid-run."""
    more = vars(variant)
    return (
        variant,
        Variant(**more | {"beside": 1}),
        Variant(**more | {"said": "look again"}),
        Variant(**more | {"quorum": 2}),
        Variant(**more | {"roles": ROLES}),
        Variant(**more | {"roles": ()}),
        Variant(**more | {"least": 3}),
        *(Variant(**more | {"denies": name}) for name in ("ruled_keyed", "ruled_blind")),
    )


@dataclass
class Rules:
    """Which policy stands, and which ones stood."""

    rng: random.Random
    first: Variant
    stood: list[tuple[float, Variant]] = field(default_factory=list)  # from when on

    def __post_init__(self) -> None:
        """The one that the plan was accepted under."""
        self.stood.append((0.0, self.first))

    @property
    def policy(self) -> RememberedPolicy:
        """What stands now."""
        return self.stood[-1][1].policy

    @property
    def have_changed(self) -> bool:
        """Whether another one stands, or stood."""
        return len(self.stood) > 1

    def change(self, now: float) -> None:
        """From now on another one stands."""
        self.stood.append((now, self.rng.choice(_changes(self.first))))

    def between(self, since: float, until: float) -> list[Variant]:
        """Every one that stood at some time of these."""
        ends = [*(at for at, _ in self.stood[1:]), float("inf")]
        return [each for (at, each), end in zip(self.stood, ends, strict=True)
                if at <= until and end >= since]  # fmt: skip


@cache
def variant_of(number: int) -> Variant:
    """The policy under which a plan was accepted."""
    return random.Random(f"rules {number}").choice(VARIANTS)


@cache
def wide_plan_of(number: int) -> Accepted:
    """One of the plans of wider worlds, always the same under the same number."""
    rng = random.Random(f"wide plan {number}")
    steps: list[dict[str, Any]] = []
    wide = _EIGHTH_NAMES if number % 8 == 7 else _WIDE_NAMES
    for count in range(rng.choice([1, 2, 2, 3, 4])):
        names = wide if rng.random() < 0.75 else NAMES
        steps.append(step_of(rng, f"s{count}", steps, names))
    answer = [{"ref": each["id"], "to": each["id"]} for each in steps]
    plan = Plan.model_validate_json(json.dumps({"steps": steps, "answer": answer}))
    options = Options(
        on_failure=rng.choice(["stop", "continue", "undo", "undo"]),
        on_uncertain=rng.choice(["wait", "continue"]),
        envelope=rng.random() < 0.4,
    )
    budgets = budgets_of(rng)
    for few in (budgets, Budgets()):
        verdict = admitted(plan, options, few, variant_of(number).policy, WIDE_CATALOG)
        if isinstance(verdict, Accepted):
            return verdict
    raise AssertionError(verdict)
