"""The order of a plan: a reference is a dependency, and `after` adds one where no data flows."""

from collections.abc import Iterable, Mapping

from executor.plan.model import Plan, Step
from executor.plan.refs import refs_of_step

Graph = Mapping[str, frozenset[str]]


def data_sources(step: Step) -> frozenset[str]:
    """Steps whose results this one refers to (roots that are no step are left out by `graph`)."""
    return frozenset(use.ref.root for use in refs_of_step(step))


def graph(plan: Plan) -> Graph:
    """Map each step id to the ids it must wait for; unknown names are left out, itself is kept.

    Two steps of one id, which admission refuses, wait for what either of them waits for.
    """
    sources: dict[str, frozenset[str]] = {}
    for step in plan.steps:
        sources[step.id] = sources.get(step.id, frozenset()) | data_sources(step)
    return waits(plan, sources)


def waits(plan: Plan, sources: Mapping[str, frozenset[str]]) -> Graph:
    """The same where the data sources of each id are known."""
    waits_for: dict[str, frozenset[str]] = dict.fromkeys(sources, frozenset())
    for step in plan.steps:
        waits_for[step.id] |= (sources[step.id] | set(step.after)) & waits_for.keys()
    return waits_for


def cycles(waits_for: Graph) -> tuple[tuple[str, ...], ...]:
    """Each circle once, as the ids along it, starting with its first in plan order."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in waits_for:
        stack = [(start, iter(sorted(waits_for[start])))]
        path = [start] if start not in done else []
        while path and stack:
            here, rest = stack[-1]
            following = next((each for each in rest if each not in done), None)
            if following is None:
                done.add(here)
                stack.pop()
                path.pop()
            elif following in path:
                found.append(tuple(path[path.index(following) :]))
            else:
                path.append(following)
                stack.append((following, iter(sorted(waits_for[following]))))
    return tuple(found)


def upstream(waits_for: Graph, step: str) -> frozenset[str]:
    """Every step that must have ended before this one, near or far."""
    seen: set[str] = set()
    queue = list(waits_for.get(step, ()))
    while queue:
        here = queue.pop()
        if here not in seen:
            seen.add(here)
            queue.extend(waits_for.get(here, ()))
    return frozenset(seen)


def order(waits_for: Graph) -> tuple[str, ...]:
    """A topological order that keeps plan order where it can; ids on a circle are left out."""
    placed: dict[str, None] = {}
    while True:
        ready = [
            step
            for step, needs in waits_for.items()
            if step not in placed and needs <= placed.keys()
        ]
        if not ready:
            return tuple(placed)
        placed.update(dict.fromkeys(ready))


def skippable(steps: Iterable[Step]) -> frozenset[str]:
    """The steps that may be skipped: for their own conditions, or for one that they refer to."""
    every = tuple(steps)
    found = {step.id for step in every if step.when and step.each is None}
    while True:
        more = {
            step.id
            for step in every
            if step.id not in found
            and step.action != "fn.first_of"
            and not data_sources(step).isdisjoint(found)
        }
        if not more:
            return frozenset(found)
        found |= more
