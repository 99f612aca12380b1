"""The one door: `admit(plan, context)` decides over the whole plan before anything runs.

Calls of playbooks are replaced by their steps first, so that every check sees what will run.
All checks run and every violation is reported. What cannot be decided yet becomes a guard of
the certificate and is checked on the real value before the call. Only this file builds an
`Accepted`, by `admit` or by `restore`, and the machine runs nothing else.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue, TypeAdapter
from rfc8785 import CanonicalizationError

from connectors.canonical import canonical, canonical_object
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.analysis import Analysis
from executor.check.certificate import Certificate, StepDecision, UndoDecision
from executor.check.context import AdmissionContext, Inputs
from executor.check.envelope import Envelope
from executor.check.expand import Expansion, expand
from executor.check.foreseen import Foreseen
from executor.check.order import Order
from executor.check.proposal import propose
from executor.check.rules import structural_violations
from executor.check.spending import Spending, too_many_steps
from executor.check.standing import decide, labels_of
from executor.check.today import with_today
from executor.check.types import Flow, validity
from executor.check.undoing import undo_decisions
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.digest import plan_digest
from executor.plan.graph import Graph, data_sources, graph, order, upstream
from executor.plan.model import Plan, Question, Step
from executor.plan.refs import OWN_ROOTS
from executor.plan.types import Type, child

__all__ = [
    "Accepted", "AdmissionContext", "Inputs", "Questions", "Rejected",
    "SealBrokenError", "Verdict", "admit", "restore", "to_row", "tool_changes",
]  # fmt: skip
MOST_REASONS = 1_000  # that are told of one plan
HOPELESS = 4  # so many times too many steps are not looked at one by one
# Its run would end well, and whoever asked for something would believe that it was done.
_NOTHING = Violation(
    "unknown-field", "/steps", "a plan without steps and without an answer does nothing",
    fix="Write the steps, ask a question, or say in `unable` why it cannot be done.",
)  # fmt: skip


@dataclass(frozen=True)
class Accepted:
    """A plan that may run, with everything its run needs; sealed against change at rest."""

    plan: Plan
    digest: str
    inputs: Inputs
    actions: Mapping[str, ActionSpec]
    principal: Principal
    request: str
    certificate: Certificate
    seal: str

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """The plan's steps by id, in an order in which each comes after what it waits for."""
        steps = {step.id: step for step in self.plan.steps}
        return {name: steps[name] for name in order(self.waits_for)}

    @cached_property
    def waits_for(self) -> Graph:
        """What each step waits for."""
        return graph(self.plan)

    @cached_property
    def sources(self) -> Graph:
        """The steps whose results each one is made of; it may wait for others, too."""
        mine = OWN_ROOTS | {"input"}
        return {name: data_sources(step) - mine for name, step in self.steps.items()}

    @cached_property
    def upstream(self) -> Graph:
        """Every step that must have ended before each one, near or far."""
        return {name: upstream(self.waits_for, name) for name in self.waits_for}


@dataclass(frozen=True)
class Rejected:
    """Every reason why the plan may not run."""

    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class Questions:
    """Nothing runs yet: what to ask the person, or why it cannot be done."""

    questions: tuple[Question, ...]
    unable: str | None


class SealBrokenError(Exception):
    """A stored plan is not what admission accepted."""


Verdict = Accepted | Rejected | Questions


def admit(plan: Plan, context: AdmissionContext) -> Verdict:
    """Accept a plan with its certificate, or say everything that is wrong with it."""
    if plan.questions or plan.unable is not None:
        return Questions(plan.questions, plan.unable)
    if not plan.steps and not plan.answer:
        return Rejected((_NOTHING,))
    hopeless = HOPELESS * context.budgets.steps
    expansion = expand(plan, context.playbooks, hopeless)
    plan = expansion.plan
    if len(plan.steps) > hopeless:
        return Rejected((too_many_steps(len(plan.steps), context.budgets.steps),))
    analysis = Analysis(plan, context.catalog, context.inputs.schema)
    order = Order(analysis)
    spending = Spending(analysis, order, context)
    foreseen = Foreseen(analysis, order, context.inputs.values | {"today": context.today})
    violations = [
        *spending.violations(),
        *_invalid_inputs(context),
        *structural_violations(analysis),
    ]
    labels = labels_of(analysis, context)
    decisions = []
    for step in plan.steps:
        action = analysis.action(step)
        if action is None:
            continue
        decision, found = decide(step, action, analysis, labels, foreseen, context)
        decisions.append(spending.limited(decision))
        violations += found
    undos, flaws = undo_decisions(
        analysis, tuple(decisions), is_wanted=context.options.on_failure == "undo"
    )
    violations += flaws
    if told := expansion.told(violations):
        return Rejected(_at_most(told))
    envelopes = propose(analysis, decisions, context)
    return _accept(expansion, context, tuple(decisions), undos, envelopes)


def _at_most(told: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """The first of very many reasons, and how many more there are."""
    rest = len(told) - MOST_REASONS
    if rest <= 0:
        return told
    message, fix = f"there are {rest} more reasons", "Repair these first, or plan anew."
    return (*told[:MOST_REASONS], Violation("too-large", "", message, fix=fix))


def tool_changes(accepted: Accepted, catalog: Catalog) -> tuple[Violation, ...]:
    """Every step whose action is no longer what it was when the plan was accepted."""
    found = []
    for index, step in enumerate(accepted.plan.steps):
        pinned, now = accepted.actions.get(step.action), catalog.get(step.action)
        if pinned is None or (now is not None and now.digest == pinned.digest):
            continue
        how = "is not in the catalog any more" if now is None else "was changed"
        message = f"{step.action} {how} since the plan was accepted"
        fix = "Have the plan accepted anew."
        at = f"/steps/{index}/action"
        found.append(Violation("tool-changed", at, message, step.id, fix=fix))
    return tuple(found)


def to_row(accepted: Accepted) -> JsonObject:
    """What is stored of an accepted plan."""
    return _content(accepted) | {"seal": accepted.seal}


def restore(row: JsonObject, seal_key: bytes) -> Accepted:
    """Build an accepted plan from its row; raises `SealBrokenError` if anything was changed."""
    content = {key: value for key, value in row.items() if key != "seal"}
    seal = str(row.get("seal", ""))
    if not _is_ours(content, seal, seal_key):
        raise SealBrokenError("the stored plan does not match its seal")
    principal = _Principal.validate_python(row["principal"])
    inputs = row["inputs"]
    assert isinstance(inputs, dict)  # noqa: S101 - the seal says that we wrote it
    return Accepted(
        plan=Plan.model_validate_json(canonical(row["plan"])),
        digest=str(row["digest"]),
        inputs=_Inputs.validate_python(inputs),
        actions=_Actions.validate_python(row["actions"]),
        principal=principal,
        request=str(row["request"]),
        certificate=Certificate.model_validate(row["certificate"]),
        seal=seal,
    )


def resealed(row: JsonObject, seal_key: bytes, new_key: bytes) -> JsonObject | None:
    """The row of an accepted plan under another key; None if its seal was not right before."""
    content = {key: value for key, value in row.items() if key != "seal"}
    if not _is_ours(content, str(row.get("seal", "")), seal_key):
        return None
    return content | {"seal": _seal_of(canonical(content), new_key)}


_Principal = TypeAdapter(Principal)
_Inputs = TypeAdapter(Inputs)
_Actions = TypeAdapter(dict[str, ActionSpec])


def _accept(
    expansion: Expansion,
    context: AdmissionContext,
    decisions: tuple[StepDecision, ...],
    undos: tuple[UndoDecision, ...],
    envelopes: tuple[Envelope, ...],
) -> Accepted:
    plan = expansion.plan
    used = {step.action for step in plan.steps if step.action not in FUNCTIONS}
    used |= {each.action for each in undos if each.action}
    actions = {name: found for name in sorted(used) if (found := context.catalog.get(name))}
    text = plan.canonical()
    digest = plan_digest(text, context.inputs.schema, actions, expansion.used.values())
    for action in list(actions.values()):
        # The machine may have to look a lost call up; what that takes is fixed now.
        for asked in (action.lookup, action.status):
            if asked and (found := context.catalog.get(asked.action)):
                actions[found.name] = found
    values = context.inputs.values | {"today": context.today}
    inputs = Inputs(with_today(context.inputs.schema), values, context.inputs.labels)
    certificate = Certificate(
        plan_digest=digest,
        policy="not-evaluated" if context.policy is None else "evaluated",
        policy_version=context.policy.version if context.policy else None,
        options=context.options,
        budgets=context.budgets,
        playbooks={**expansion.used},
        steps=decisions,
        undo=undos,
        envelopes=envelopes,
    )
    unsealed = Accepted(
        plan, digest, inputs, actions, context.principal, context.request, certificate, ""
    )
    seal = _seal_of(_sealed_text(unsealed, text), context.seal_key)
    return Accepted(
        plan, digest, inputs, actions, context.principal, context.request, certificate, seal
    )


def _content(accepted: Accepted) -> JsonObject:
    actions: JsonObject = {
        name: action.model_dump(mode="json", by_alias=True)
        for name, action in accepted.actions.items()
    }
    return {"actions": actions, "plan": accepted.plan.stored()["plan"]} | _rest(accepted)


def _sealed_text(accepted: Accepted, plan: bytes) -> bytes:
    """The canonical form of the content, from those of the plan and, kept by each, the actions."""
    actions = {name: action.canonical for name, action in accepted.actions.items()}
    rest = {name: canonical(value) for name, value in _rest(accepted).items()}
    known = {"actions": canonical_object(actions), "plan": plan}
    return canonical_object(rest | known)


def _rest(accepted: Accepted) -> JsonObject:
    return {
        "digest": accepted.digest,
        "inputs": _sorted_readers(accepted.inputs),
        "principal": _sorted_roles(accepted.principal),
        "request": accepted.request,
        "certificate": accepted.certificate.model_dump(mode="json"),
    }


def _sorted_roles(principal: Principal) -> JsonValue:
    roles: list[JsonValue] = [*sorted(principal.roles)]
    return {"id": principal.id, "tenant": principal.tenant, "roles": roles}


def _sorted_readers(inputs: Inputs) -> JsonValue:
    """Sets have no order of their own, and the seal is over the text."""
    labels: JsonObject = {
        name: {
            "integrity": label.integrity.value,
            "readers": None if label.readers is None else [*sorted(label.readers)],
        }
        for name, label in inputs.labels.items()
    }
    return {"schema": inputs.schema, "values": inputs.values, "labels": labels}


def _is_ours(content: JsonObject, seal: str, key: bytes) -> bool:
    try:
        return hmac.compare_digest(seal.encode(), _seal_of(canonical(content), key).encode())
    except (CanonicalizationError, UnicodeEncodeError):
        return False  # we never write what has no canonical form


def _seal_of(text: bytes, key: bytes) -> str:
    return hmac.new(key, text, "sha256").hexdigest()


def _invalid_inputs(context: AdmissionContext) -> Iterator[Violation]:
    """What is given is what the inputs' schema promises to every rule."""
    schema = Type.of(with_today(context.inputs.schema))
    if context.inputs.values.get("today", context.today) != context.today:
        message = "the day is fixed at admission, and no input may say another"
        yield Violation("type-mismatch", "", message, fix="Give the other day another name.")
    for name, value in context.inputs.values.items():
        declared = child(schema, name)
        if isinstance(declared, Type) and validity(value, declared) is Flow.NO:
            message = f"the input {name!r} is not what the inputs' schema says"
            yield Violation("type-mismatch", "", message, fix="Give a value of the declared type.")
