"""From gold calls with provenance to a plan, and whether its run does what the gold calls do."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from benchmarks.admission.draft import Draft
from benchmarks.admission.groups import groups, write_each
from benchmarks.admission.places import Place
from benchmarks.admission.replay import Call, ReplayError, replay
from benchmarks.admission.sources import NoSource, arguments_of
from benchmarks.admission.told import Told
from benchmarks.admission.ways import reach
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.fn.compare import equal
from executor.plan.model import EXTRACT
from executor.plan.types import as_list, as_object


@dataclass(frozen=True)
class Domain:
    """The tools of a set, and what its reads answer; they raise `LookupError` to refuse."""

    name: str
    catalog: Catalog
    answers: Callable[[str, JsonObject], JsonValue]

    def action(self, tool: str) -> ActionSpec:
        """The action of a tool."""
        found = self.catalog.get(f"{self.name}.{tool}")
        if found is None:
            raise LookupError(f"{tool} is no tool of {self.name}")
        return found


def convert(
    domain: Domain,
    gold: Sequence[JsonObject],
    told: Told,
    offers: Sequence[str] = (),
    *,
    with_extract: bool = False,
) -> Draft:
    """The plan that makes the gold calls, with what its steps gave; raises `NoSource`.

    A read that is refused, and from which nothing follows, is left out. `offers` are reads
    without arguments that may be made besides the gold ones. With `with_extract` free text
    comes from a model call (`fn.extract`) where the gold text is read or made up.
    """
    if not gold:
        raise NoSource("its gold calls nothing")
    draft = Draft(told)
    draft.extracts = EXTRACT if with_extract else None
    draft.own = {each.name: each.own_where for each in domain.catalog}
    for tool in offers:
        action = domain.action(tool)
        draft.offer(action.name, [], domain.answers(action.name, {}), action.output_schema or {})
    places: list[Place | None] = []
    last_write: str | None = None
    for group in groups(gold):
        action = domain.action(str(group[0]["tool"]))
        after: JsonObject = {} if last_write is None else {"after": [last_write]}
        step = write_each(draft, action, group, places, **after) if action.is_write else None
        if step is not None:
            last_write = step
            places += [None] * len(group)
            continue
        for call in group:
            if action.is_write:
                last_write = _write(domain, draft, action, call, places, last_write)
            else:
                places.append(_read_or_not(domain, draft, action, call, places))
    return draft


def flaw(
    domain: Domain,
    gold: Sequence[JsonObject],
    draft: Draft,
    accepted: Accepted,
    *,
    in_order: bool = True,
) -> str | None:
    """What the plan's run does that is not what the gold calls do.

    The writes are the gold ones in their order, value by value; every gold read is made. What a
    model makes of a text is taken from the draft.
    """
    try:
        calls = replay(accepted, domain.answers, draft.extracted())
    except ReplayError as error:
        return f"does not run: {error}"
    calls = [_without_defaults(domain, each) for each in calls]
    wanted = [
        _without_defaults(domain, Call(f"{domain.name}.{each['tool']}", as_object(each["args"])))
        for each in gold
    ]
    writes = [each for each in calls if _is_write(domain, each)]
    gold_writes = [each for each in wanted if _is_write(domain, each)]
    if not in_order:
        writes, gold_writes = (sorted(each, key=_written) for each in (writes, gold_writes))
    if [each.action for each in writes] != [each.action for each in gold_writes]:
        return f"other writes: {[each.action for each in writes]}"
    for made, asked in zip(writes, gold_writes, strict=True):
        if not equal(made.arguments, asked.arguments):
            return f"other values: {made} instead of {asked}"
    for each, call in zip(wanted, gold, strict=True):
        is_made = any(
            each.action == made.action and equal(each.arguments, made.arguments) for made in calls
        )
        if not is_made and not call.get("output_error"):
            return f"not read: {each}"
    return None


def _written(call: Call) -> tuple[str, str]:
    return call.action, json.dumps(call.arguments, sort_keys=True)


def _is_write(domain: Domain, call: Call) -> bool:
    action = domain.catalog.get(call.action)
    return action is not None and action.is_write


def _without_defaults(domain: Domain, call: Call) -> Call:
    """What is declared to be so anyway need not be said."""
    action = domain.catalog.get(call.action)
    properties = as_object(action.input_schema.get("properties")) if action else {}
    return Call(
        call.action,
        {
            name: value
            for name, value in call.arguments.items()
            if "default" not in as_object(properties.get(name))
            or not equal(as_object(properties[name])["default"], value)
        },
    )


def _write(
    domain: Domain,
    draft: Draft,
    action: ActionSpec,
    call: JsonObject,
    places: list[Place | None],
    last: str | None,
) -> str:
    arguments = as_object(call["args"])
    args = arguments_of(draft, action, arguments, as_object(call["provenance"]), places)
    after: JsonObject = {} if last is None else {"after": [last]}
    result = domain.answers(action.name, arguments)
    step = draft.call(action.name, args, result, action.output_schema or {}, **after)
    places.append(None if result is None else Place(step))
    return step


def _read_or_not(
    domain: Domain,
    draft: Draft,
    action: ActionSpec,
    call: JsonObject,
    places: list[Place | None],
) -> Place | None:
    try:
        value = domain.answers(action.name, as_object(call["args"]))
    except LookupError:
        if not call.get("output_error"):
            raise NoSource("a read that is not replayed") from None
        return None
    return _read(domain, draft, action, call, value, places)


def _read(
    domain: Domain,
    draft: Draft,
    action: ActionSpec,
    call: JsonObject,
    value: JsonValue,
    places: list[Place | None],
) -> Place:
    schema = action.output_schema or {}
    arguments = as_object(call["args"])
    provenance = as_object(call["provenance"])
    found = _element(arguments, provenance, places)
    if found is None:
        args = arguments_of(draft, action, arguments, provenance, places)
        return Place(draft.call(action.name, args, value, schema))
    place, index = found
    name = next(iter(arguments))
    if (step := draft.made(action.name, place)) is None:
        if (listed := reach(draft, place)) is None:
            raise NoSource("no grounded condition singles out the list")
        results: list[JsonValue] = [
            domain.answers(action.name, {name: each}) for each in as_list(draft.value(place))
        ]
        listed_schema: JsonObject = {"type": "array", "items": schema}
        args = [{"ref": "each", "to": name}]
        step = draft.call(action.name, args, results, listed_schema, each=listed)
        draft.remember(action.name, place, step)
    return Place(step, (index,))


def _element(
    arguments: JsonObject, provenance: JsonObject, places: list[Place | None]
) -> tuple[Place, int] | None:
    """The list of ids and the index, where a read's only argument is an element of a list."""
    if len(arguments) != 1:
        return None
    said = as_object(provenance.get(f"/{next(iter(arguments))}"))
    path = as_list(said.get("from_path"))
    if said.get("kind") != "ref-select" or not path or not isinstance(path[-1], int):
        return None
    source = places[int(str(said["from_step"]))]
    if source is None:
        return None
    tokens = tuple(each if isinstance(each, int) else str(each) for each in path[:-1])
    return Place(source.step, (*source.path, *tokens)), path[-1]
