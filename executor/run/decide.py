"""What to do next with a run: a pure function of the plan, the journal and a few values.

Every step that is ready gets a verdict (`instance.py`). What merely follows from it is
recorded; calls, gates and look-ups are commands; if there is none of these and nothing is in
flight, the run waits or is finished.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from connectors.spec import Effect
from executor.check.admit import Accepted
from executor.plan.graph import Graph, data_sources, graph, order
from executor.plan.model import Step
from executor.plan.refs import parse_ref
from executor.run import events as e
from executor.run.commands import Command, Finish, OpenGate, Record, Wait
from executor.run.instance import (
    Done,
    Failed,
    Halted,
    Next,
    Outside,
    Skipped,
    Surroundings,
    Verdict,
    Waiting,
    judge_instance,
)
from executor.run.keys import args_hash
from executor.run.resolve import ResolveError, Scope, bind, build_answer, value_at
from executor.run.state import Attempt, RunState

MOST_ITEMS = 1000
_FIRST_REASON = ("reconcile", "approval", "rate_limit", "retry")


def decide(accepted: Accepted, state: RunState, outside: Outside) -> tuple[Command, ...]:
    """Return what to do now; records come alone, to be applied before deciding again."""
    if state.finished is not None:
        return ()
    records = tuple(_facts(accepted, state, outside))
    if records:
        return records
    early = tuple(_early_gates(accepted, state, outside))
    around = _Around(accepted, state, graph(accepted.plan), bool(early) or _has_early_open(state))
    collected = _Collected()
    for step_id in order(around.graph):
        if not state.has_ended(step_id):
            _consider(accepted, state, outside, around, step_id, collected)
    if collected.records:
        return tuple(collected.records)
    commands = (*early, *collected.commands)
    if commands or outside.in_flight:
        return commands
    return (_wait_or_finish(accepted, state, collected),)


@dataclass
class _Collected:
    records: list[Record] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    waits: list[tuple[str, Waiting]] = field(default_factory=list)


@dataclass(frozen=True)
class _Around:
    accepted: Accepted
    state: RunState
    graph: Graph
    early_gates_open: bool

    @property
    def is_stopping(self) -> bool:
        failed = bool(self.state.failed)
        goes_on = self.accepted.certificate.options.on_failure == "continue"
        return self.state.cancelled is not None or (failed and not goes_on)

    def of(self, step: str) -> Surroundings:
        goes_on = self.accepted.certificate.options.on_uncertain == "continue"
        elsewhere = any(
            attempts[-1].is_uncertain and attempts[-1].intent.effect is not Effect.READ
            for place, attempts in self.state.attempts.items()
            if place[0] != step
        )
        return Surroundings(
            is_stopping=self.is_stopping,
            early_gates_open=self.early_gates_open,
            uncertain_elsewhere=elsewhere and not goes_on,
        )


def _facts(accepted: Accepted, state: RunState, outside: Outside) -> Iterator[Record]:
    """What has become true without anybody having written it down."""
    if not state.started:
        yield Record(e.RunStarted(plan="", digest=accepted.digest))
    for place, attempts in state.attempts.items():
        for attempt in attempts:
            if attempt.ended is None and place not in outside.in_flight:
                yield Record(_lost(attempt))
        yield from _learned_by_key(attempts)
    for gates in state.gates.values():
        for gate in gates:
            if gate.ruling is None and gate.opened.expires_at <= outside.now:
                yield Record(e.ApprovalExpired(approval=gate.opened.approval))


def _lost(attempt: Attempt) -> e.AttemptEnded:
    intent = attempt.intent
    message = "the process ended before an answer was recorded"
    return e.AttemptEnded(
        step=intent.step,
        iteration=intent.iteration,
        n=intent.n,
        state="uncertain",
        failure=e.Failure(kind="cancelled", message=message, may_retry=True),
    )


def _learned_by_key(attempts: tuple[Attempt, ...]) -> Iterator[Record]:
    """An answer to the same call under the same key says what became of the earlier ones."""
    last = attempts[-1]
    if last.ended is None or last.ended.state != "applied":
        return
    for earlier in attempts[:-1]:
        if earlier.is_uncertain:
            was_applied = last.ended.replayed or last.intent.effect is Effect.IDEMPOTENT
            yield Record(
                e.ReconcileResolved(
                    step=earlier.intent.step,
                    iteration=earlier.intent.iteration,
                    n=earlier.intent.n,
                    resolution="applied" if was_applied else "absent",
                    by="key" if last.intent.effect is Effect.KEYED else "repetition",
                    output=last.ended.output if was_applied else None,
                )
            )


def _early_gates(accepted: Accepted, state: RunState, outside: Outside) -> Iterator[OpenGate]:
    """Ask for every approval whose arguments are known before the first effect."""
    if state.cancelled is not None or state.failed:
        return
    for step in accepted.plan.steps:
        action = accepted.actions.get(step.action)
        if action is None or step.each is not None or step.when or (step.id, "") in state.gates:
            continue
        need = accepted.certificate.of(step.id).approval
        if need is None or state.has_ended(step.id) or data_sources(step) - {"input", "result"}:
            continue
        try:
            arguments = bind(step, Scope(accepted.inputs.values, {}), action.input_schema)
        except ResolveError:
            continue  # it fails when its turn comes, with the reason
        yield OpenGate(
            step.id, "", action, arguments, args_hash(arguments),
            need.role, need.quorum, need.reasons, need.policies,
        )  # fmt: skip


def _has_early_open(state: RunState) -> bool:
    """Whether an approval is awaited although no effect has happened yet."""
    if any(each.intent.effect is not Effect.READ for each in _attempts(state)):
        return False
    return any(gate.ruling is None for gates in state.gates.values() for gate in gates)


def _attempts(state: RunState) -> Iterator[Attempt]:
    for attempts in state.attempts.values():
        yield from attempts


def _consider(
    accepted: Accepted,
    state: RunState,
    outside: Outside,
    around: _Around,
    step_id: str,
    collected: _Collected,
) -> None:
    step = next(each for each in accepted.plan.steps if each.id == step_id)
    needs = around.graph[step_id]
    if any(need in state.failed or not state.has_ended(need) for need in needs):
        return
    gone = sorted(data_sources(step) & set(state.skipped))
    if gone and step.action != "fn.first_of":
        collected.records.append(Record(e.StepSkipped(step=step_id, because=f"{gone[0]} skipped")))
        return
    scope = Scope(accepted.inputs.values, state.done)
    if step.each is None:
        verdict = judge_instance(accepted, state, outside, around.of(step_id), step, "", scope)
        _settle(step, verdict, collected)
    else:
        _consider_items(accepted, state, outside, around, step, scope, collected)


def _settle(step: Step, verdict: Verdict, collected: _Collected) -> None:
    match verdict:
        case Done(output=output):
            collected.records.append(Record(e.StepDone(step=step.id, result=output)))
        case Skipped(because=because):
            collected.records.append(Record(e.StepSkipped(step=step.id, because=because)))
        case Failed(code=code, message=message, effect=effect):
            failed = e.StepFailed(step=step.id, code=code, message=message, effect=effect)
            collected.records.append(Record(failed))
        case Next(command=command):
            collected.commands.append(command)
        case Waiting():
            collected.waits.append((step.id, verdict))
        case Halted():
            pass


def _consider_items(
    accepted: Accepted,
    state: RunState,
    outside: Outside,
    around: _Around,
    step: Step,
    scope: Scope,
    collected: _Collected,
) -> None:
    items = value_at(scope, step.each or "")
    if not isinstance(items, list) or len(items) > MOST_ITEMS:
        code = "budget-exceeded" if isinstance(items, list) else "missing-value"
        what = f"{len(items)} items" if isinstance(items, list) else f"no list at {step.each}"
        _settle(step, Failed(code, what), collected)
        return
    makers = _makers(accepted, step, scope)
    results: list[JsonValue] = []
    open_items = False
    failure: tuple[str, Failed] | None = None
    for index, item in enumerate(items):
        if item is None and makers is not None:
            results.append(None)  # passed over: the step before skipped this one
            continue
        own: dict[str, JsonValue] = {"each": item}
        if makers is not None and index < len(makers):
            own["each_item"] = makers[index]
        verdict = judge_instance(
            accepted, state, outside, around.of(step.id), step, str(index), scope.with_own(**own)
        )
        match verdict:
            case Done(output=output):
                results.append(output)
            case Skipped():
                results.append(None)
            case Failed():
                failure = failure or (str(index), verdict)
            case _:
                open_items = True
                if failure is None or isinstance(verdict, Waiting):
                    _settle(step, verdict, collected)
    if failure is not None and not _is_busy(step, outside):
        iteration, failed = failure
        event = e.StepFailed(
            step=step.id, iteration=iteration, code=failed.code, message=failed.message,
            effect=failed.effect,
        )  # fmt: skip
        collected.records.append(Record(event))
    elif failure is None and not open_items:
        collected.records.append(Record(e.StepDone(step=step.id, result=results)))


def _is_busy(step: Step, outside: Outside) -> bool:
    return any(place[0] == step.id for place in outside.in_flight)


def _makers(accepted: Accepted, step: Step, scope: Scope) -> list[JsonValue] | None:
    """The items that made the list, where the list is the whole result of an each-step."""
    ref = parse_ref(step.each or "")
    source = next((each for each in accepted.plan.steps if each.id == ref.root), None)
    if source is None or source.each is None or ref.tokens:
        return None
    found = value_at(scope, source.each)
    return found if isinstance(found, list) else None


def _wait_or_finish(accepted: Accepted, state: RunState, collected: _Collected) -> Wait | Finish:
    uncertain = tuple(
        sorted({place[0] for place, found in state.attempts.items() if found[-1].is_uncertain})
    )
    waits = collected.waits
    is_over = state.cancelled is not None
    if state.failed and accepted.certificate.options.on_failure != "continue":
        # Nothing new begins, but what may have happened is found out first.
        waits = [each for each in waits if each[1].waiting_for == "reconcile"]
    if waits and not is_over:
        reason = min((each.waiting_for for _, each in waits), key=_FIRST_REASON.index)
        times = [each.until for _, each in waits if each.until is not None]
        return Wait(reason, min(times, default=None), tuple(sorted({step for step, _ in waits})))
    standing = tuple(
        sorted(
            {
                place[0]
                for place, found in state.attempts.items()
                for each in found
                if each.is_applied and each.intent.effect is not Effect.READ
            }
        )
    )
    scope = Scope(accepted.inputs.values, state.done)
    result = build_answer(accepted.plan.answer, scope)
    if is_over:
        return Finish("cancelled", "cancelled", result, standing, uncertain)
    if state.failed:
        code = next(iter(state.failed.values())).code
        return Finish("failed", code, result, standing, uncertain)
    return Finish("succeeded", None, result, standing, uncertain)
