"""Cases: what a policy is meant to say of calls, written down beside it and held against it.

A file holds `{"cases": [{name, principal, action, arguments, labels?, run?, read?, stale?,
approvals?, unknown?, expect, role?, policies?}]}`. Every top-level argument is as good as said by
the person who asks (`request`) unless `labels` says otherwise; the run did and read nothing yet
unless `run`, `read` and `stale` say so; `unknown` lists the places whose values are not known, as
at admission.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from connectors.catalog import Catalog
from connectors.flaws import all_told
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.cedar import Judgement, Policy, PolicyQuestion, Verdict
from executor.check.cedar_schema import Find
from executor.check.objects import answers_as
from executor.check.strict_json import Flaw, read_json
from executor.check.types import Flow, validity
from executor.check.unknown import Unknown
from executor.plan.refs import split_pointer
from executor.plan.types import Type, as_list, child, descend, kinds

NOTHING_YET: JsonObject = {
    "writes": 0, "calls": {}, "sums": {}, "succeeded": [], "same_object": [],
}  # fmt: skip


class CasesError(Exception):
    """Cases that cannot be judged: every flaw on a line, with its file and case."""


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Who(_Closed):
    id: str = "somebody"
    tenant: str = "main"
    roles: tuple[str, ...] = ()


class CaseText(_Closed):
    """One case as it is written."""

    name: str
    principal: _Who = _Who()
    action: str
    arguments: JsonObject = {}
    labels: dict[str, Integrity] = {}
    run: JsonObject = {}
    read: JsonObject = {}
    stale: JsonObject = {}
    approvals: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    expect: Verdict
    role: str | None = None
    policies: tuple[str, ...] | None = None


class _File(_Closed):
    about: str = ""
    cases: tuple[CaseText, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Case:
    """One case: a call, and what is expected of policy."""

    file: str
    name: str
    question: PolicyQuestion
    expect: Verdict
    role: str | None
    policies: tuple[str, ...] | None


@dataclass(frozen=True)
class Outcome:
    """What came of a case; `wrong` says how it differs from what was expected, or nothing."""

    case: Case
    judgement: Judgement
    wrong: str


def read_cases(texts: Mapping[str, str], catalog: Catalog) -> tuple[Case, ...]:
    """Every case of these files; raises `CasesError` with all flaws, each on a line."""
    found: list[Case] = []
    flaws: list[str] = []
    for file, text in sorted(texts.items()):
        try:
            cases = _File.model_validate(read_json(text)).cases
        except Flaw as flaw:
            flaws.append(f"{file}: {flaw.message}")
            continue
        except ValidationError as error:
            flaws += [f"{file}: {each}" for each in all_told(error, "/")]
            continue
        names = Counter(case.name for case in cases)
        flaws += [f"{file}: two cases are called {name!r}" for name in names if names[name] > 1]
        for case in cases:
            try:
                found.append(_case(file, case, catalog))
            except CasesError as error:
                flaws.append(str(error))
    if flaws:
        raise CasesError("\n".join(flaws))
    return tuple(found)


def run_case(case: Case, policy: Policy) -> Outcome:
    """Judge one case."""
    judgement = policy.judge(case.question)
    found = judgement.observed or judgement.verdict
    wrong = ""
    if found != case.expect:
        wrong = f"expected {case.expect}, but it is {found}"
    elif case.role is not None and case.role != judgement.role:
        wrong = f"expected an approval by {case.role}, but it is by {judgement.role}"
    elif case.policies is not None and sorted(case.policies) != sorted(judgement.policies):
        decided = ", ".join(judgement.policies) or "no policy"
        wrong = f"expected {', '.join(case.policies) or 'no policy'} to decide, but {decided} does"
    return Outcome(case, judgement, wrong)


def question_of(
    action: ActionSpec,
    principal: Principal,
    arguments: JsonObject,
    *,
    labels: Mapping[str, Integrity],
    run: JsonObject,
    approvals: frozenset[str],
    unknown: tuple[str, ...] = (),
    read: JsonObject | None = None,
    stale: JsonObject | None = None,
    find: Find = lambda _: None,
) -> PolicyQuestion:
    """A call as policy is asked about it; raises `ValueError` where it could never be made.

    `find` finds the operations that something was read by.
    """
    schema = Type.of(action.input_schema)
    opened: JsonValue = json.loads(json.dumps(arguments))
    for pointer in unknown:
        opened = _opened(opened, schema, (), split_pointer(pointer))
    assert isinstance(opened, dict)  # noqa: S101 - opening leaves an object one
    is_named = all(isinstance(child(schema, name), Type) for name in arguments)
    if not is_named or (not unknown and validity(arguments, schema) is Flow.NO):
        raise ValueError(f"these are no arguments of {action.name}: {_why(arguments, schema)}")
    said = {**dict.fromkeys(opened, Integrity.REQUEST), **labels}
    given = {at: Label(integrity) for at, integrity in said.items()}
    if odd := [name for name in run if name not in NOTHING_YET]:
        raise ValueError(f"there is no context.run.{odd[0]}; there are {', '.join(NOTHING_YET)}")
    for name, output in [*(read or {}).items(), *(stale or {}).items()]:
        _check_read(name, output, find(name))
    so_far = NOTHING_YET | run
    return PolicyQuestion(
        principal, action, opened, given, so_far, approvals, read or {}, stale or {}
    )


def _check_read(name: str, output: JsonValue, action: ActionSpec | None) -> None:
    """What was read is what that operation may give, and policy may see."""
    if action is None or action.is_write:
        raise ValueError(f"there is no read {name}, so nothing was read by it")
    if answers_as(action) is None:
        raise ValueError(f"{name} reads as untrusted, so policy never sees what it gives")
    if action.output_schema and validity(output, Type.of(action.output_schema)) is Flow.NO:
        raise ValueError(f"this is nothing that {name} gives, by its output schema")


def _case(file: str, case: CaseText, catalog: Catalog) -> Case:
    where = f"{file}: {case.name}"
    action = catalog.get(case.action)
    if action is None:
        meant = catalog.candidates(case.action, 1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        raise CasesError(f"{where}: there is no operation {case.action}{hint}")
    if case.role is not None and case.expect not in ("approval", "unknown"):
        raise CasesError(f"{where}: `role` says who is asked, so it goes with `approval`")
    who = Principal(case.principal.id, case.principal.tenant, frozenset(case.principal.roles))
    try:
        question = question_of(
            action,
            who,
            case.arguments,
            labels=case.labels,
            run=case.run,
            read=case.read,
            stale=case.stale,
            find=catalog.get,
            approvals=frozenset(case.approvals),
            unknown=case.unknown,
        )
    except ValueError as error:
        raise CasesError(f"{where}: {error}") from error
    return Case(file, case.name, question, case.expect, case.role, case.policies)


def _opened(
    value: JsonValue, schema: Type, at: tuple[str, ...], path: tuple[str, ...]
) -> JsonValue:
    """The value with an unknown at a place; members on the way there are made."""
    if not path:
        found = descend(schema, at)
        return Unknown(kinds(found) if isinstance(found, Type) else None)
    if not isinstance(value, dict) or isinstance(value, Unknown):
        raise ValueError(f"{'/'.join((*at, *path))!r} is no place in an object")
    below = (*at, path[0])
    return value | {path[0]: _opened(value.get(path[0], {}), schema, below, path[1:])}


def _why(arguments: JsonObject, schema: Type) -> str:
    node = schema.keywords
    declared = node.get("properties")
    known = declared if isinstance(declared, dict) else {}
    if missing := [str(each) for each in as_list(node.get("required")) if each not in arguments]:
        return f"{', '.join(missing)} is missing"
    if unknown := [name for name in arguments if name not in known]:
        return f"there is no {', '.join(unknown)}; there are {', '.join(known)}"
    wrong = [
        name
        for name, value in arguments.items()
        if validity(value, schema.below(known[name])) is Flow.NO
    ]
    return f"{', '.join(wrong)} is not of the declared type" if wrong else "together they are not"
