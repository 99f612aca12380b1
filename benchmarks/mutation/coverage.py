"""Which lines of the checks each case of the suite and each test runs, and how long it takes.

A change is held only against what ran its line without it; what fails without any change is no
judge of one. A line that runs at import is held against everything that runs the module at all,
and against the tests of each file that names it.
What functions run while modules are imported is noted apart (`imported`): it is over before any
test begins.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

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
    most_s: float | None = None  # of tests, beside the cases; what only the rest finds survives

    def add(self, test: Test, lines: set[Line], modules: Iterable[str] = ()) -> None:
        """Note what a test ran, and the modules that its file names."""
        place = len(self.tests)
        self.tests.append(test)
        for line in lines:
            self.lines[line].add(place)
        for module in {*(module for module, _ in lines), *modules}:
            self.modules[module].add(place)

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
        found.sort(key=lambda test: (not test.is_case, test.seconds))
        if self.most_s is None:
            return found
        spent = accumulate(0.0 if test.is_case else test.seconds for test in found)
        return [test for test, so_far in zip(found, spent, strict=True) if so_far <= self.most_s]
