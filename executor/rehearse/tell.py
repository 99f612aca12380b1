"""Tells one performance: what it did, to whom, and on which answers that rests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.spec import ActionSpec, Sink
from executor.check.admit import Accepted
from executor.check.budgets import at_sinks, by_currency
from executor.plan.model import RefArg, Step, TextArg
from executor.plan.refs import join_pointer
from executor.rehearse.fake import Mark
from executor.rehearse.origins import Origins, refs_in
from executor.rehearse.report import Act, Asked, Figures, Given, Message, Scenario, StepEnd
from executor.rehearse.stage import Performance
from executor.run.commands import OpenGate
from executor.run.so_far import SoFar
from executor.run.state import Attempt, Place, undoes


@dataclass(frozen=True)
class Telling:
    """One performance, and the same with durations as they were measured, if they were."""

    accepted: Accepted
    performance: Performance
    expected_s: float | None

    def scenario(self, number: int) -> Scenario:
        """All of it."""
        finished = self.performance.state.finished
        return Scenario(
            number=number,
            because=[*because(self.performance)],
            status=self.status,
            code=finished.code if finished else self.performance.state.first_failure,
            waiting_for=self.performance.waiting_for,
            steps=[*self._steps()],
            effects=self.effects,
            messages=self.messages,
            approvals=[*self._asked()],
            figures=self.figures,
            answers=[*self._given()],
            result=finished.result if finished else None,
        )

    @property
    def status(self) -> str:
        """How the run ended, or that it waits."""
        finished = self.performance.state.finished
        return "waiting" if finished is None else finished.status

    @cached_property
    def figures(self) -> Figures:
        """What can be counted."""
        performance = self.performance
        spent = SoFar(self.accepted, performance.state).amounts
        sums = by_currency(each for found in spent.values() for each in found)
        calls = dict(performance.searches)
        for attempts in performance.state.attempts.values():
            for attempt in attempts:
                connection = attempt.intent.action.partition(".")[0]
                calls[connection] = calls.get(connection, 0) + 1
        return Figures(
            writes=len(self.effects),
            messages=sum(bool(each.to) for each in self.messages),
            approvals=len(performance.asked),
            money={name: format(sums[name], "f") for name in sorted(sums)},
            calls={name: calls[name] for name in sorted(calls)},
            rate_limit_s={
                name: round(seconds, 6) for name, seconds in sorted(performance.waited_s.items())
            },
            at_most_s=round(performance.lasted_s, 6),
            expected_s=None if self.expected_s is None else round(self.expected_s, 6),
        )

    @cached_property
    def effects(self) -> list[Act]:
        """Every write that happens, in the order in which they begin."""
        state = self.performance.state
        return [
            Act(
                step=place[0],
                iteration=place[1],
                action=attempt.intent.action,
                effect=attempt.intent.effect,
                arguments=attempt.intent.arguments,
                made_up=self._made_up(place[0]),
                undo=self._undo(place[0]),
                undone=state.is_undone(place),
            )
            for place, attempt in self._writes()
        ]

    @cached_property
    def messages(self) -> list[Message]:
        """Every write that says something to somebody."""
        return [
            Message(
                step=place[0],
                iteration=place[1],
                action=attempt.intent.action,
                to=[*_at(self._action(attempt), Sink.RECIPIENT, attempt)],
                content=[*_at(self._action(attempt), Sink.CONTENT, attempt)],
                made_up=self._made_up(place[0]),
            )
            for place, attempt in self._writes()
            if {Sink.RECIPIENT, Sink.CONTENT} & {*self._action(attempt).sinks.values()}
        ]

    def _writes(self) -> Iterator[tuple[Place, Attempt]]:
        acted = [
            (place, next(each for each in attempts if each.may_have_happened))
            for place, attempts in self.performance.state.attempts.items()
            if undoes(place) is None and any(each.may_have_happened for each in attempts)
        ]
        yield from sorted(acted, key=lambda each: each[1].began)

    def _action(self, attempt: Attempt) -> ActionSpec:
        return self.accepted.actions[attempt.intent.action]

    def _undo(self, step: str) -> Literal["can", "cannot", "pivot"]:
        decision = self.accepted.certificate.undo_of(step)
        return "cannot" if decision is None else decision.kind

    def _made_up(self, name: str) -> list[str]:
        """The targets of a step whose values come of answers that were made up."""
        step = self._steps_by_id[name]
        return [arg.to for arg in step.args if isinstance(arg, RefArg | TextArg)
                and any(self._is_made_up(ref, step) for ref in refs_in(arg))]  # fmt: skip

    def _is_made_up(self, ref: str, at: Step) -> bool:
        return not self._made_up_steps.isdisjoint(self._origins.behind(ref, at))

    @cached_property
    def _made_up_steps(self) -> frozenset[str]:
        answers = self.performance.answers
        return frozenset(place[0] for place, each in answers.items() if each.source == "made_up")

    @cached_property
    def _steps_by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.accepted.plan.steps}

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._steps_by_id)

    def _steps(self) -> Iterator[StepEnd]:
        state = self.performance.state
        for step in self.accepted.plan.steps:
            if (failed := state.failed.get(step.id)) is not None:
                yield StepEnd(step=step.id, ended="failed", why=failed.message, code=failed.code)
            elif step.id in state.skipped:
                yield StepEnd(step=step.id, ended="skipped", why=state.skipped[step.id])
            elif step.id in state.done:
                yield StepEnd(step=step.id, ended="done")
            else:
                unfakeable = [why for place, why in self.performance.unfakeable.items()
                              if place[0] == step.id]  # fmt: skip
                yield StepEnd(step=step.id, ended="open", why="; ".join(unfakeable[:1]))

    def _asked(self) -> Iterator[Asked]:
        for each in self.performance.asked:
            if isinstance(each, OpenGate):
                yield Asked(
                    kind="step", steps=[each.step], role=each.role, quorum=each.quorum,
                    reasons=[*each.reasons], arguments=each.arguments,
                )  # fmt: skip
                continue
            envelope = each.envelope
            yield Asked(
                kind="envelope", steps=[found.step for found in envelope.steps],
                role=envelope.role, quorum=envelope.quorum, reasons=[*envelope.reasons],
                arguments=envelope.model_dump(mode="json"),
            )  # fmt: skip

    def _given(self) -> Iterator[Given]:
        attempts = self.performance.state.attempts
        for place, answer in self.performance.answers.items():
            yield Given(
                step=place[0],
                iteration=place[1],
                action=attempts[place][-1].intent.action,
                source=answer.source,
                output=answer.output,
            )


def because(performance: Performance) -> Iterator[str]:
    """What was chosen of the answers that were given, in words."""
    script, answered = performance.script, {place[0] for place in performance.answers}
    for step, variation in script.variations.items():
        if step not in answered:
            continue
        if variation.size != script.size:
            yield f"{step}: lists of {variation.size}"
        for path, wish in variation.wishes.items():
            place = join_pointer((step, *path)).replace("/", ".")
            if isinstance(wish, Mark):
                yield f"{place} is {wish.value}"
            else:
                yield f"{place} = {canonical(wish).decode()}"


def _at(action: ActionSpec, sink: Sink, attempt: Attempt) -> Iterator[JsonValue]:
    yield from (value for value, _, _ in at_sinks(action, sink, attempt.intent.arguments))
