"""Rehearses an accepted plan: its scenarios, what each would do, and what if something goes wrong.

Given are the plan, a policy, limits, a time and the answers of earlier runs; not given is anything
that could call, write or wait. The same of all these gives the same rehearsal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Literal, TypeVar

from connectors.spec import ActionSpec
from executor.check.admit import Accepted
from executor.fn import FUNCTIONS
from executor.plan.render import render_cond
from executor.rehearse.answers import Answers, Recorded, Script, Setback, Upset
from executor.rehearse.branches import Branch, branches_of
from executor.rehearse.explore import Bounds, Exploration, Scene
from executor.rehearse.open_ended import open_amounts, open_lists
from executor.rehearse.origins import Origins, refs_in
from executor.rehearse.report import Figures, Rehearsal, SetbackEnd, Unmet, Way
from executor.rehearse.stage import Performance, Stage, Terms
from executor.rehearse.tell import Telling
from executor.rehearse.turns import Turns, refs_of_cond
from executor.run.commands import OpenGate
from executor.run.state import WHOLE_PLAN, Place, undoes

# Ends of steps that are no answer to the plan's own conditions: what was made up did not fit.
UNFIT = (
    "type-mismatch", "missing-value", "not-comparable", "policy-value-unmappable", "policy-denied",
)  # fmt: skip

N = TypeVar("N", int, float)
Why = Literal["fixed", "not_found", "not_reached"] | None


def rehearse(
    accepted: Accepted, terms: Terms, recorded: Recorded | None = None, bounds: Bounds | None = None
) -> Rehearsal:
    """Play a plan in as many ways as it can go, within bounds, and tell what each would do."""
    answers = Answers(accepted, recorded or Recorded())
    return _Rehearsing(answers, terms, bounds or Bounds()).told()


@dataclass(frozen=True)
class _Rehearsing:
    answers: Answers
    terms: Terms
    bounds: Bounds

    def told(self) -> Rehearsal:
        accepted, certificate = self.answers.accepted, self.answers.accepted.certificate
        scenarios = [each.scenario(at) for at, each in enumerate(self._tellings, start=1)]
        setbacks, ends = [*self._setbacks()], [*self._setback_ends()]
        return Rehearsal(
            digest=accepted.digest,
            policy=certificate.policy,
            policy_version=self.terms.policy.version,
            on_failure=certificate.options.on_failure,
            size=self.bounds.size,
            tried=self._exploration.tried,
            scenarios=scenarios,
            setbacks=ends,
            setbacks_left_out=len(setbacks) - len(ends),
            ways=[*self._ways()],
            unmet=[*self._unmet()],
            most=_most([each.figures for each in self._tellings]),
            open_lists=[*open_lists(accepted)],
            open_amounts=[*open_amounts(accepted)],
            budgets=certificate.budgets,
            unmeasured=sorted(self._unmeasured),
        )

    @cached_property
    def _exploration(self) -> Exploration:
        turns = Turns(self.answers.accepted, self.bounds.size)
        return Exploration(self._play, turns, self.bounds)

    @cached_property
    def _scenes(self) -> list[Scene]:
        return self._exploration.scenes()

    @cached_property
    def _tellings(self) -> list[Telling]:
        return [
            Telling(self.answers.accepted, each.performance, self._expected_s(each.performance))
            for each in self._scenes
        ]

    def _play(self, script: Script) -> Performance:
        return Stage(self.answers, self.terms, lambda action: action.timeout_s, script).play()

    def _expected_s(self, performance: Performance) -> float | None:
        """How long it would last if every call took what such calls took before."""
        called = self._called(performance)
        if any(self.answers.recorded.duration_s(each) is None for each in called):
            return None
        script = performance.script
        return Stage(self.answers, self.terms, self._as_before, script).play().lasted_s

    def _as_before(self, action: ActionSpec) -> float:
        known = self.answers.recorded.duration_s(action)
        return action.timeout_s if known is None else known

    def _called(self, performance: Performance) -> list[ActionSpec]:
        actions = self.answers.accepted.actions
        names = {each.intent.action for found in performance.state.attempts.values()
                 for each in found}  # fmt: skip
        return [actions[name] for name in sorted(names)]

    @property
    def _unmeasured(self) -> set[str]:
        return {
            action.name
            for scene in self._scenes
            for action in self._called(scene.performance)
            if self.answers.recorded.duration_s(action) is None
        }

    def _setbacks(self) -> Iterator[tuple[int, Scene, Setback]]:
        """Each place that acts, refused and with its answer lost; each approval, not given."""
        known: set[tuple[Place | str, Upset]] = set()
        for number, scene in enumerate(self._scenes, start=1):
            for place, attempts in scene.performance.state.attempts.items():
                acts = undoes(place) is None and any(each.may_have_happened for each in attempts)
                upsets: tuple[Upset, ...] = ("refused", "lost") if acts else ()
                for upset in upsets:
                    if (place[0], upset) not in known:
                        known.add((place[0], upset))
                        yield number, scene, Setback(place, upset)
            for asked in scene.performance.asked:
                at = (asked.step, "") if isinstance(asked, OpenGate) else WHOLE_PLAN
                if (at, "not_approved") not in known:
                    known.add((at, "not_approved"))
                    yield number, scene, Setback(at, "not_approved")

    def _setback_ends(self) -> Iterator[SetbackEnd]:
        """How setbacks end, as many as the bounds allow."""
        work = self._exploration.worked
        for number, scene, setback in islice(self._setbacks(), self.bounds.setbacks):
            if work >= self.bounds.work:
                return
            went = self._play(replace(scene.performance.script, setback=setback))
            work += went.work
            yield self._told(number, setback, went)

    def _told(self, number: int, setback: Setback, went: Performance) -> SetbackEnd:
        finished = went.state.finished
        return SetbackEnd(
            scenario=number,
            step=setback.place[0],
            iteration=setback.place[1],
            upset=setback.upset,
            status="waiting" if finished is None else finished.status,
            code=went.state.first_failure if finished is None else finished.code,
            waiting_for=went.waiting_for,
            standing=[] if finished is None else finished.standing,
            uncertain=[] if finished is None else finished.uncertain,
            undone=[] if finished is None else finished.undone,
        )

    def _ways(self) -> Iterator[Way]:
        steps = {step.id: step for step in self.answers.accepted.plan.steps}
        for branch in branches_of(self.answers.accepted):
            numbers: dict[bool, list[int]] = {True: [], False: []}
            for number, scene in enumerate(self._scenes, start=1):
                for value in (True, False):
                    if (branch, value) in scene.ways:
                        numbers[value].append(number)
            step = steps[branch.step]
            conds = step.when if branch.kind == "when" else step.expect
            match branch.kind:
                case "each":
                    text = step.each or ""
                case "found" | "asks":
                    text = step.action
                case _:
                    text = render_cond(conds[branch.index])
            yield Way(
                step=branch.step,
                kind=branch.kind,
                text=text,
                yes=numbers[True],
                no=numbers[False],
                why=self._why(branch, numbers),
            )

    def _why(self, branch: Branch, numbers: dict[bool, list[int]]) -> Why:
        """Why a branch was not shown going both ways."""
        if numbers[True] and numbers[False]:
            return None
        if not numbers[True] and not numbers[False]:
            return "not_reached"
        return "not_found" if self._hangs_on_answers(branch) else "fixed"

    def _hangs_on_answers(self, branch: Branch) -> bool:
        """Whether any answer has a say in which way a branch goes."""
        steps = {step.id: step for step in self.answers.accepted.plan.steps}
        step = steps[branch.step]
        refs: Sequence[str] = [ref for arg in step.args for ref in refs_in(arg)]
        match branch.kind:
            case "when" | "expect":
                conds = step.when if branch.kind == "when" else step.expect
                refs = refs_of_cond(conds[branch.index])
            case "each":
                return bool(Origins(steps).behind_length(step.each or "", step))
            case "asks":  # policy knows what was called besides, and what was read
                others = (each.action for each in steps.values() if each is not step)
                if any(each not in FUNCTIONS for each in others):
                    return True
        return any(Origins(steps).behind(ref, step) for ref in refs)

    def _unmet(self) -> Iterator[Unmet]:
        told: set[tuple[str, str]] = set()
        for number, scene in enumerate(self._scenes, start=1):
            performance = scene.performance
            found = [(place[0], "unfakeable", why)
                     for place, why in performance.unfakeable.items()]  # fmt: skip
            found += [(step, each.code, each.message)
                      for step, each in performance.state.failed.items()
                      if each.code in UNFIT]  # fmt: skip
            for step, code, message in found:
                if (step, code) not in told:
                    told.add((step, code))
                    yield Unmet(step=step, scenario=number, code=code, message=message)


def _most(figures: Sequence[Figures]) -> Figures:
    """The largest of each figure."""
    expected = [each.expected_s for each in figures]
    known = [each for each in expected if each is not None]
    return Figures(
        writes=max(each.writes for each in figures),
        messages=max(each.messages for each in figures),
        approvals=max(each.approvals for each in figures),
        money=_largest_sums([each.money for each in figures]),
        calls=_largest([each.calls for each in figures]),
        rate_limit_s=_largest([each.rate_limit_s for each in figures]),
        at_most_s=max(each.at_most_s for each in figures),
        expected_s=max(known) if known and len(known) == len(expected) else None,
    )


def _largest_sums(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The largest amount of each currency, exactly."""
    names = sorted({name for each in found for name in each})
    return {
        name: format(max(Decimal(each[name]) for each in found if name in each), "f")
        for name in names
    }


def _largest(found: Sequence[Mapping[str, N]]) -> dict[str, N]:
    names = sorted({name for each in found for name in each})
    return {name: max(each[name] for each in found if name in each) for name in names}
