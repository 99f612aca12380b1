"""What the order of a plan proves: which steps may be skipped, and which have surely ended before.

A step waits for what it refers to and for its `after`. A reference to a skipped step skips the
step too, `after` one is satisfied, and `fn.first_of` takes the first that exists. So when a step
runs, everything that it refers to, near or far, has run; of the rest that it waits for, only
what can never be skipped surely has.
"""

from collections.abc import Mapping
from functools import cached_property

from executor.check.analysis import Analysis
from executor.plan.graph import Graph, upstream
from executor.plan.model import Step

_ANY_OF = "fn.first_of"


class Order:
    """The order of one plan."""

    def __init__(self, analysis: Analysis) -> None:
        self._graph = analysis.graph
        self._placed = analysis.order
        self._steps = analysis.by_id
        self._sources: Mapping[str, frozenset[str]] = {
            name: analysis.sources[name] & self._steps.keys() for name in self._steps
        }

    @cached_property
    def skippable(self) -> frozenset[str]:
        """Steps that may be skipped; those on a circle are, for they never run."""
        placed = self._placed
        found = self._steps.keys() - set(placed)
        for name in placed:
            step, sources = self._steps[name], self._sources[name]
            gone = sources & found
            if step.action == _ANY_OF:
                gone = frozenset()  # with none of them left it fails, and is not skipped
            if gone or (step.when and step.each is None):
                found.add(name)
        return frozenset(found)

    def before(self, step: Step) -> frozenset[str]:
        """Steps that surely have run to a good end whenever this one is called."""
        return self._referred(step.id) | (self._upstream[step.id] - self.skippable)

    def after(self, step: Step) -> frozenset[str]:
        """Steps that surely have not begun whenever this one is called."""
        return frozenset(self._downstream.get(step.id, ()))

    @cached_property
    def _upstream(self) -> Graph:
        """Everything that each step waits for, near or far."""
        found: dict[str, frozenset[str]] = {}
        for name in self._placed:
            needs = self._graph[name]
            found[name] = needs.union(*(found[each] for each in needs))
        circles = self._graph.keys() - found.keys()
        return found | {name: upstream(self._graph, name) for name in circles}

    @cached_property
    def _downstream(self) -> Mapping[str, set[str]]:
        """Everything that waits for each step; none waits for itself."""
        found: dict[str, set[str]] = {}
        for name, needs in self._upstream.items():
            for each in needs - {name}:
                found.setdefault(each, set()).add(name)
        return found

    def _referred(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        queue = [name]
        while queue:
            here = queue.pop()
            if self._steps[here].action == _ANY_OF:
                continue
            new = self._sources[here] - found
            found |= new
            queue.extend(new)
        return frozenset(found - {name})
