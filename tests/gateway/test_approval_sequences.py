"""Decisions, refusals, cancels, expiries, changes and restarts in any order: what may act.

The machine keeps a record of its own of what was shown and who said what, and judges by it every
payment that the bank made. Rules that are broken by hand, one at a time, must be found by it.
`LAMGATE_APPROVAL_SEQUENCES` says how many sequences are played; above 1,000 every rule is broken.
"""

import inspect
import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from approval_world import PEOPLE, Effect, Rules, World, rules
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from executor.check import envelope, narrowing
from executor.run import gates
from executor.store import rulings

SEQUENCES = int(os.environ.get("LAMGATE_APPROVAL_SEQUENCES", "100"))
STEPS = 12
KNOWN, LATE = {"to": "b", "amount": 10}, "price"


def pay(name: str, late: bool) -> dict[str, Any]:
    amount = {"ref": "price/price"} if late else {"value": KNOWN["amount"]}
    args = [{"value": KNOWN["to"], "to": "to"}, amount | {"to": "amount"}]
    return {"id": name, "action": "bank.pay", "args": args}


PRICE = {"id": "price", "action": "bank.price", "args": []}
PLANS = {
    "known": {"steps": [pay("known", late=False)]},
    "late": {"steps": [PRICE, pay("late", late=True)]},
    "both": {"steps": [PRICE, pay("known", late=False), pay("late", late=True)]},
}


@dataclass
class Shown:
    """One approval as it was first seen, and what was said of it since."""

    row: dict[str, Any]
    asks: str  # the text that asked
    yes: set[str] = field(default_factory=set)
    is_refused: bool = False
    most: list[int] = field(default_factory=list)  # of the late payment, by those who gave a band
    without: set[str] = field(default_factory=set)

    def covers(self, effect: Effect, now: float) -> bool:
        """Whether this alone would let a payment pass."""
        if self.is_refused or now >= self.row["expires_at"]:
            return False
        if len(self.yes) < self.row["quorum"]:
            return False
        if self.row["kind"] == "step":
            shown = (self.row["step"], self.row["arguments"])
            return shown == (effect.step, effect.arguments)
        if effect.step not in self.row["steps"] or effect.step in self.without:
            return False
        if effect.step == "known":
            return effect.arguments == KNOWN
        return bool(self.most) and effect.arguments == {
            "to": "b",
            "amount": min([*self.most, int(str(effect.arguments["amount"]))]),
        }


happened: Counter[str] = Counter()
world: World


class Deciding(RuleBasedStateMachine):
    """One run, and everybody who may do something about it."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, Shown] = {}
        self.acted: list[Effect] = []
        self.run = ""
        self.is_cancelled = False
        self.price = 20

    @initialize(
        plan=st.sampled_from([*PLANS]), is_whole=st.booleans(), quorum=st.sampled_from([1, 1, 2])
    )
    def begin(self, plan: str, is_whole: bool, quorum: int) -> None:
        """Somebody asks for it."""
        self.rules: list[Rules] = rules(quorum)
        world.rules = self.rules[0]
        world.effects.clear()
        self.run = world.run(world.start(PLANS[plan], envelope=is_whole))
        self._judge()

    @rule(
        who=st.sampled_from(["first", "second", *PEOPLE, "first"]),
        decision=st.sampled_from(["approve", "approve", "approve", "refuse"]),
        which=st.integers(0, 3),
        narrow=st.sampled_from([None, None, 20, 25, "without"]),
    )
    def decide(self, who: str, decision: str, which: int, narrow: Any) -> None:
        """One person says yes or no to one of all that was ever asked, the newest first."""
        self._decide(who, decision, which, narrow)

    def _decide(self, who: str, decision: str, which: int, narrow: Any) -> None:
        if not self.shown:
            return
        found = [*self.shown.values()][-1 - which % len(self.shown)]
        body: dict[str, Any] = {"decision": decision, "reason": "checked"}
        if narrow is not None and decision == "approve" and found.row["kind"] == "envelope":
            body["narrow"] = _narrowing(found.row, narrow)
        before = _state_of(found.row["id"], self.run)
        answer = world.run(world.post(who, f"/v1/approvals/{found.row['id']}/decision", body))
        happened[f"{decision} {answer.status_code}"] += 1
        assert answer.status_code in (200, 403, 409, 410, 422), answer.text
        assert (answer.status_code == 403) is (who in ("requester", "visitor"))
        if answer.status_code == 200 and before == "open":
            assert world.now < found.row["expires_at"], "decided too late"
            assert not self.is_cancelled, "decided after the run was cancelled"
            self._said(found, who, decision, body.get("narrow"))
        self._judge()

    @rule(narrow=st.sampled_from([20, 25, None, "without"]))
    def agree(self, narrow: Any) -> None:
        """Everybody who may says yes to what was asked last, and first who asked for it."""
        self._decide("requester", "approve", 0, None)
        self._decide("first", "approve", 0, narrow)
        self._decide("second", "approve", 0, None)

    def _said(self, found: Shown, who: str, decision: str, narrow: Any) -> None:
        if decision == "refuse":
            found.is_refused = True
            return
        if who not in found.yes and narrow is not None:
            found.without |= set(narrow.get("without", ()))
            for band in narrow.get("steps", {}).values():
                found.most.append(int(band["bands"]["amount"]["values"][-1]))
        found.yes.add(who)

    @rule(sure=st.sampled_from([False, False, True]))
    def cancel(self, sure: bool) -> None:
        """The requester wants no more, now and then."""
        if not sure or self.is_cancelled:
            return
        answer = world.run(world.post("requester", f"/v1/runs/{self.run}/cancel", {"mode": "stop"}))
        self.is_cancelled = self.is_cancelled or answer.status_code == 202
        happened[f"cancel {answer.status_code}"] += 1
        self._judge()

    @rule(seconds=st.sampled_from([10.0, 30.0, 110.0]), alarm=st.booleans())
    def wait(self, seconds: float, alarm: bool) -> None:
        """Time passes, and the run's alarm rings, or has not rung yet."""
        world.now += seconds
        if alarm:
            world.run(world.look(self.run))
        self._judge()

    @rule(number=st.integers(0, 3), notices=st.booleans())
    def change_policy(self, number: int, notices: bool) -> None:
        """The operator's texts change."""
        world.rules = self.rules[number]
        if notices:
            world.run(world.look(self.run))
        self._judge()

    @rule(price=st.sampled_from([20, 21, 30]), notices=st.booleans())
    def change_arguments(self, price: int, notices: bool) -> None:
        """What was read is something else by now."""
        if world.run(world.change_price(self.run, price)):
            self.price = price
            happened["changed arguments"] += 1
        if notices:
            world.run(world.look(self.run))
        self._judge()

    @rule()
    def restart(self) -> None:
        """The process ends, and another one goes on."""
        world.run(world.restart(self.run))
        self._judge()

    def _judge(self) -> None:
        """Every payment of this round had a valid approval, by this record alone."""
        new = [each for each in world.effects if each.run == self.run][len(self.acted) :]
        for effect in new:
            happened["acted"] += 1
            assert not self.is_cancelled, "it acted after a cancel"
            assert not world.rules.forbids, "it acted against a policy"
            assert effect.step not in {each.step for each in self.acted}, "it acted twice"
            wanted = self.price if effect.step == "late" else KNOWN["amount"]
            assert effect.arguments == {"to": "b", "amount": wanted}, "it did something else"
            valid = [
                each
                for each in self.shown.values()
                if each.covers(effect, world.now) and each.asks == world.rules.asks
            ]
            assert valid, "it acted without a valid approval"
            assert not any(self._is_refused(each, effect) for each in self.shown.values())
            kinds = {each.row["kind"] for each in valid}
            happened[f"acted by {'envelope' if 'envelope' in kinds else 'step'}"] += 1
            self.acted.append(effect)
        for row in world.run(world.approvals(self.run)):
            if row["id"] not in self.shown:
                self.shown[row["id"]] = Shown(row, world.rules.asks)
                happened[f"asked by {row['kind']}"] += 1

    def _is_refused(self, found: Shown, effect: Effect) -> bool:
        """A no to a step is one to the arguments that it showed; others are asked for anew."""
        shows = found.row["kind"] == "envelope" or found.row["arguments"] == effect.arguments
        return found.is_refused and effect.step in found.row["steps"] and shows


def _narrowing(row: dict[str, Any], narrow: Any) -> dict[str, Any]:
    if narrow == "without":
        return {"without": [row["steps"][0]]}
    if "late" not in row["steps"]:
        return {}
    return {"steps": {"late": {"bands": {"amount": {"values": [20, narrow]}}}}}


def _state_of(approval: str, run: str) -> str:
    return next(
        str(each["state"]) for each in world.run(world.approvals(run)) if each["id"] == approval
    )


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    global world
    happened.clear()
    world = World()
    yield
    world.close()


def _play(sequences: int, *phases: Phase) -> None:
    play = settings(
        max_examples=sequences, stateful_step_count=STEPS, deadline=None, database=None,
        phases=phases or (Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[*HealthCheck], report_multiple_bugs=False,
        derandomize="LAMGATE_APPROVAL_SEQUENCES" not in os.environ,
    )  # fmt: skip
    run_state_machine_as_test(Deciding, settings=play)


@pytest.mark.timeout(7200)
def test_in_no_sequence_does_anything_act_without_a_valid_approval() -> None:
    _play(SEQUENCES)

    print(f"approval sequences: {SEQUENCES}, {dict(sorted(happened.items()))}")
    often = ("acted by step", "acted by envelope", "changed arguments", "cancel 202", "approve 200",
             "approve 403", "approve 409", "refuse 200")  # fmt: skip
    for name in (*often, "approve 410") if SEQUENCES > 1000 else often:
        assert happened[name] > 0, f"never seen: {name}"


@dataclass(frozen=True)
class Broken:
    """A rule of ours with a piece of its source replaced."""

    name: str
    where: ModuleType | type
    function: str
    old: str
    new: str
    found: str  # what the machine says of it

    def break_(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the changed function in its place, in memory."""
        source = textwrap.dedent(inspect.getsource(getattr(self.where, self.function)))
        assert source.count(self.old) == 1, f"{self.name}: {self.old!r} is not there once"
        module = inspect.getmodule(self.where)
        assert module is not None
        space: dict[str, Any] = vars(module).copy()
        exec(source.replace(self.old, self.new), space)
        monkeypatch.setattr(self.where, self.function, space[self.function])


BROKEN = (
    Broken("the requester decides", rulings, "decide", "by.id == row.requester", "False", "403"),
    Broken("anybody decides", rulings, "decide", "row.role not in by.roles", "False", "403"),
    Broken("one yes is a quorum", rulings, "decide", ">= row.quorum", ">= 1",
           "without a valid approval"),
    Broken("a yes covers other arguments", gates.Gatekeeper, "judge",
           "each.opened.args_hash == shown.args_hash", "True", "without a valid approval"),
    Broken("a late yes counts", rulings, "decide", "row.expires_at <= now", "False", "too late"),
    Broken("a cancel leaves questions open", rulings, "_is_over", "is not None", "is False",
           "after the run was cancelled"),
    Broken("a no is forgotten", gates, "said_no", "match gate.ruling:", "match None:",
           "is_refused"),
    Broken("a changed text does not matter", gates.Gatekeeper, "_is_as_asked",
           "asking <= set(opened.policy_texts)", "True", "without a valid approval"),
    Broken("a denial is not looked at", gates.Gatekeeper, "judge",
           'judgement.verdict in ("deny", "unknown")', "False", "against a policy"),
    Broken("every value is in its band", envelope.Band, "holds", "match self.kind:",
           "match 'any':", "without a valid approval"),
    Broken("what was left out stays in", narrowing, "narrowed",
           "each.step not in new.without", "True", "without a valid approval"),
)  # fmt: skip


# Every night all of them are broken, every day the first two.
@pytest.mark.parametrize(
    "broken",
    BROKEN if SEQUENCES > 1000 else BROKEN[:2],
    ids=lambda each: each.name.replace(" ", "-"),
)
def test_a_broken_rule_is_found(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    broken.break_(monkeypatch)

    with pytest.raises(AssertionError, match=broken.found):
        _play(1000, Phase.generate)
