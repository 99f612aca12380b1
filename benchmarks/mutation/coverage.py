"""Which lines of the checks each case of the suite and each test runs, and how long it takes.

A change is held only against what ran its line without it; what fails without any change is no
judge of one. A line that runs at import is held against everything that runs the module at all.
What functions run while modules are imported is noted apart (`imported`): it is over before any
test begins.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.mutation.changes import Change

Line = tuple[str, int]


@dataclass(frozen=True)
class Test:
    """A case of the suite, or a test by its node id."""

    name: str
    is_case: bool
    seconds: float


@dataclass
class Coverage:
    """What ran which lines, by module."""

    tests: list[Test] = field(default_factory=list)
    lines: dict[Line, set[int]] = field(default_factory=lambda: defaultdict(set))
    modules: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    imported: set[Line] = field(default_factory=set)
    failing: list[str] = field(default_factory=list)

    def add(self, test: Test, lines: set[Line]) -> None:
        """Note what a test ran."""
        place = len(self.tests)
        self.tests.append(test)
        for line in lines:
            self.lines[line].add(place)
            self.modules[line[0]].add(place)

    def leave_out(self, seconds: float) -> None:
        """Ask no test that takes longer; what only such a test finds survives, then."""
        slow = {place for place, test in enumerate(self.tests) if test.seconds > seconds}
        for places in (*self.lines.values(), *self.modules.values()):
            places -= slow

    def is_imported(self, change: Change) -> bool:
        """Whether an import already runs what is changed."""
        at = {(change.module, line) for line in change.lines}
        return not change.is_in_function or not at.isdisjoint(self.imported)

    def tests_of(self, change: Change) -> list[Test]:
        """Everything that runs the changed line, the quickest first."""
        if change.is_in_function:
            places: set[int] = set()
            for line in change.lines:
                places |= self.lines.get((change.module, line), set())
        else:
            places = self.modules.get(change.module, set())
        found = [self.tests[place] for place in places]
        return sorted(found, key=lambda test: (not test.is_case, test.seconds))
