"""What cannot be undone comes as late as it can, and what policy counts comes one by one."""

import random
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from run_cases import (
    CATALOG,
    PERMIT,
    Play,
    accept,
    action,
    applied,
    not_sent,
    play,
    ref,
    refused,
    step,
)
from run_world import World, random_play

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.analysis import Analysis
from executor.check.foreseen import Foreseen
from executor.check.order import Order
from executor.check.unknown import Unknown
from executor.run.commands import Command, Perform
from executor.run.tally import Tally

FINAL = (
    action("shop.wire", "keyed", irreversible=True),
    action("shop.cut", "blind", pivot=True),
)


def final(*steps: dict[str, Any], **more: Any) -> Play:
    return play(*steps, more=FINAL, **more)


@pytest.mark.parametrize("what", ["shop.wire", "shop.cut"])
@pytest.mark.parametrize("other", ["read", "idempotent", "blind"])
def test_what_cannot_be_undone_waits_for_all_that_need_not_come_after_it(
    what: str, other: str
) -> None:
    run = final(
        step("w", what),
        step("a", other),
        step("b", other, ref("a/id", "x")),
        step("c", other, ref("w/id", "x")),
    )
    first = run.performs()
    run.begin(first["a"])
    meanwhile = run.performs()
    run.end(first["a"], applied({"id": 1}))
    run.call("b", applied({}))

    assert first.keys() == {"a"}
    assert meanwhile == {}
    assert run.performs().keys() == {"w"}
    run.call("w", applied({"id": 1}))
    assert run.performs().keys() == {"c"}


def test_what_cannot_be_undone_does_not_happen_where_something_else_fails() -> None:
    run = final(step("w", "shop.wire"), step("a"))
    run.call("a", refused())

    assert run.finish().standing == ()
    assert ("w", "") not in run.state.attempts


def test_several_that_cannot_be_undone_do_not_wait_for_each_other() -> None:
    run = final(step("w", "shop.wire"), step("x", "shop.cut"))

    assert run.performs().keys() == {"w", "x"}


def test_one_that_was_begun_is_settled_without_waiting_its_turn_again() -> None:
    run = final(step("w", "shop.wire"), step("x", "shop.cut"), step("a", "read", after=["x"]))
    run.call("w", not_sent())
    run.call("x", applied({}))
    run.later(10)

    assert run.performs().keys() == {"w", "a"}


def test_what_only_waits_for_a_time_or_a_person_holds_nothing_up() -> None:
    run = final(step("w", "shop.wire"), step("a"), step("b", "asked_blind"))
    run.grant(run.ask()[0])
    run.call("a", refused("rate_limited", again=True, at=run.now + 600))
    run.call("b", applied({}))

    assert run.performs().keys() == {"w"}


COUNTING = """
permit (principal, action, resource);
forbid (principal, action == Action::"blind", resource) when { context.run.writes >= 2 };
"""


def test_what_policy_counts_is_called_one_after_the_other() -> None:
    run = play(*(step(f"s{n}", "blind") for n in range(4)), rules=COUNTING, judged_by=COUNTING)
    first = run.performs()
    run.begin(first["s0"])
    second = run.performs()
    run.begin(second["s1"])
    waiting = run.wait()
    for each in (first["s0"], second["s1"]):
        run.end(each, applied())
    run.go()

    assert first.keys() == {"s0"}
    assert second.keys() == {"s1"}
    assert waiting.waiting_for == "flight"
    assert run.state.failed["s2"].code == "policy-denied"


def test_what_policy_counts_is_never_more_than_it_allows_over_the_items_of_a_list() -> None:
    run = play(step("a", "blind", ref("each", "x"), each="input/list"), list=[1, 2, 3, 4],
               rules=COUNTING, judged_by=COUNTING)  # fmt: skip
    while found := run.performs():
        for each in found.values():
            run.begin(each)
    assert len(run.state.attempts) == 2


class Ordered(World):
    """The same little world, whose every move is held against the order of effects."""

    def _check(self, command: Command) -> None:
        super()._check(command)
        if not isinstance(command, Perform) or not _is_final(command.action) or command.n > 1:
            return
        beside = [each for each in self.run.decide() if isinstance(each, Perform)]
        flying = [*self.run.flying.values()]
        assert all(_is_final(each.action) for each in (*beside, *flying))


def _is_final(found: ActionSpec) -> bool:
    return found.is_write and (found.irreversible or found.pivot)


def _random_run(rng: random.Random) -> Play:
    """A random plan, some of whose writes cannot be undone."""
    run = random_play(rng)
    plan = run.accepted.plan.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    for each in plan["steps"]:
        if each["action"] in ("shop.keyed", "shop.blind", "shop.lookup") and rng.random() < 0.6:
            each["action"] = rng.choice(["shop.wire", "shop.cut"])
    inputs = {name: each for name, each in run.accepted.inputs.values.items() if name != "today"}
    accepted = accept(
        *plan["steps"], answer=plan["answer"], more=FINAL, rules=PERMIT,
        options=run.accepted.certificate.options, **inputs,
    )  # fmt: skip
    return Play(accepted)


@given(st.integers(0, 2**48))
def test_nothing_final_begins_beside_what_could_still_be_undone_whatever_the_plan(
    seed: int,
) -> None:
    rng = random.Random(seed)
    world = Ordered(_random_run(rng), rng)
    try:
        world.live()
    except BaseException:
        note(world.told())
        raise


THING = tuple(
    action(
        f"thing.{effect}",
        effect,
        reads_as="trusted",
        sinks={"x": "resource_id", "from": "resource_id"},
        output_schema={"type": "object", "properties": {"id": {"type": "integer"}},
                       "required": ["id"], "additionalProperties": True},
    )
    for effect in ("read", "keyed", "idempotent")
)  # fmt: skip
ASKED = frozenset({""})


def _random_things(rng: random.Random) -> Play:
    run = random_play(rng)
    plan = run.accepted.plan.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    for each in plan["steps"]:
        if not each["action"].startswith("fn."):
            each["action"] = rng.choice(THING).name
    inputs = {name: each for name, each in run.accepted.inputs.values.items() if name != "today"}
    options = run.accepted.certificate.options
    return Play(accept(*plan["steps"], more=THING, options=options, **inputs))


class Foretold(World):
    """The same little world, where what the run did so far is held against what was foreseen."""

    foreseen: Foreseen

    def _check(self, command: Command) -> None:
        super()._check(command)
        if not isinstance(command, Perform) or command.n > 1:
            return
        run = self.run
        found = next(each for each in run.accepted.plan.steps if each.id == command.step)
        tally = Tally(run.accepted, run.state, frozenset(run.flying))
        place = (command.step, command.iteration)
        real = tally.so_far.besides(place, command.action, command.arguments)
        told, *sets = self.foreseen.runs(found, ASKED)
        assert all(_is_that(told[name], value) for name, value in real.items()), (told, real)
        if sets:
            assert any(_is_that(each, real) for each in sets), (sets, real)


def _is_that(told: Any, real: Any) -> bool:
    """Whether what happened is what was told, as far as it was."""
    if isinstance(told, Unknown):
        return True
    if isinstance(told, dict):
        return told.keys() == real.keys() and all(_is_that(told[each], real[each]) for each in told)
    return bool(told == real)


@given(st.integers(0, 2**48))
def test_what_a_plan_foretells_of_its_run_is_what_the_run_has_done_by_then(seed: int) -> None:
    rng = random.Random(seed)
    run = _random_things(rng)
    world = Foretold(run, rng)
    schema = run.accepted.inputs.schema
    analysis = Analysis(run.accepted.plan, Catalog((*CATALOG, *THING)), schema)
    world.foreseen = Foreseen(analysis, Order(analysis), run.accepted.inputs.values)
    try:
        world.live()
    except BaseException:
        note(world.told())
        raise
