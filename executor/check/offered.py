"""Playbooks as the catalogue shows them: what each takes, what it gives, what it does at worst.

For whoever chooses among actions. Admission never looks at it: it sees the playbook's steps.
"""

from collections.abc import Iterator

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.check.analysis import Analysis
from executor.check.expand import Playbooks, expand
from executor.check.playbook import Playbook
from executor.fn import FUNCTIONS
from executor.plan.compose import object_of, standalone, tuple_of
from executor.plan.model import Plan, RefArg, Step
from executor.plan.refs import array_index, join_pointer, parse_ref, split_pointer
from executor.plan.types import UNKNOWN, Type

_CALL = "call"
MOST_STEPS = 1_000
Entries = dict[tuple[str, ...], Type]


def with_playbooks(catalog: Catalog, playbooks: Playbooks) -> Catalog:
    """The catalogue with every playbook as an action."""
    if not playbooks:
        return catalog
    return Catalog([*catalog, *(offered(each, catalog, playbooks) for each in playbooks.values())])


def offered(playbook: Playbook, catalog: Catalog, playbooks: Playbooks) -> ActionSpec:
    """One playbook as an action: a read if all its steps are, else a write that is final."""
    expanded = expand(_calling(playbook), playbooks, MOST_STEPS).plan
    analysis = Analysis(expanded, catalog, playbook.inputs_schema)
    called = [analysis.action(step) for step in expanded.steps if step.action not in FUNCTIONS]
    known = [each for each in called if each is not None]
    is_read = len(known) == len(called) and not any(each.is_write for each in known)
    schema = playbook.inputs_schema
    properties: JsonObject = {name: playbook.input_schema(name) for name in playbook.inputs}
    return ActionSpec(
        name=playbook.action,
        description=playbook.description,
        input_schema=schema | {"properties": properties},
        output_schema=_answer(analysis),
        effect=Effect.READ if is_read else Effect.BLIND,
        irreversible=not is_read,
        egress=any(each.egress for each in known),
        approval=next((each.approval for each in known if each.approval), None),
        reads_as="untrusted" if any(each.reads_as == "untrusted" for each in known) else "trusted",
        sinks=dict(_sinks(analysis)),
    )


def _calling(playbook: Playbook) -> Plan:
    """A plan that hands its inputs to the playbook, and its answer on."""
    args = tuple(RefArg(ref=f"input/{name}", to=name) for name in playbook.inputs)
    step = Step(id=_CALL, action=playbook.action, args=args)
    return Plan(steps=(step,), answer=(RefArg(ref=_CALL, to=""),))


def _sinks(analysis: Analysis) -> Iterator[tuple[str, Sink]]:
    """Where inputs go as they are."""
    inputs = f"{_CALL}.input."
    for step in analysis.plan.steps:
        action = analysis.action(step)
        for binding in analysis.bindings(step) if action else ():
            if not isinstance(binding.arg, RefArg) or action is None:
                continue
            ref = parse_ref(binding.arg.ref)
            if ref.root.startswith(inputs) and binding.arg.to in action.sinks:
                name = ref.root.removeprefix(inputs)
                yield join_pointer((name, *ref.tokens)), action.sinks[binding.arg.to]


def _answer(analysis: Analysis) -> JsonObject:
    entries: Entries = {}
    for arg in analysis.plan.answer:
        found = analysis.source_type(None, arg)
        entries[split_pointer(arg.to)] = found if isinstance(found, Type) else UNKNOWN
    return standalone(_put_together(entries))


def _put_together(entries: Entries) -> Type:
    """The type of an answer; an entry of a step that was skipped is left out of it."""
    if () in entries:
        return entries[()]
    below: dict[str, Entries] = {}
    for to, found in entries.items():
        below.setdefault(to[0], {})[to[1:]] = found
    members = {name: _put_together(inside) for name, inside in below.items()}
    if all(array_index(name) is not None for name in members):
        return tuple_of([members[name] for name in sorted(members, key=int)])
    return object_of(members, optional=True)
