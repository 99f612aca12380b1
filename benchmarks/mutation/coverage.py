"""Which lines of the checks each case of the suite and each test runs, and how long it takes.

A change is held only against what ran its line without it; what fails without any change is no
judge of one. A constant is held against what runs a line that uses it; anything else that runs at
import against everything that runs the module at all, and the tests of each file that names it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from benchmarks.mutation.changes import Change

Line = tuple[str, int]
_NEAR, _FAR = 2.0, 0.2  # how much a test is trusted to find, before it has found any
_SMALL = 200  # lines: what runs many more looks at a fault from afar
_LEAST_S = 0.002  # of a case
_PYTEST_S = 0.005  # around a test


@dataclass(frozen=True)
class Test:
    """A case of the suite, or a test by its node id."""

    name: str
    is_case: bool
    seconds: float
    mark: str = ""  # of its text: another one when it may say something else


@dataclass(frozen=True)
class Seen:
    """What one test runs, line by line, and the modules that its file names."""

    test: Test
    lines: Mapping[str, frozenset[int]]
    names: frozenset[str] = frozenset()

    @cached_property
    def size(self) -> int:
        """How many lines it runs."""
        return sum(map(len, self.lines.values()))


@dataclass
class Coverage:
    """What ran which lines, by module."""

    seen: list[Seen] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    most_s: float | None = None  # of tests for each change; what only the rest finds survives

    def add(self, test: Test, lines: Iterable[Line], names: Iterable[str] = ()) -> None:
        """Note what a test ran, and the modules that its file names."""
        by_module = defaultdict(set)
        for module, line in lines:
            by_module[module].add(line)
        frozen = {module: frozenset(each) for module, each in by_module.items()}
        self.seen.append(Seen(test, frozen, frozenset(names)))

    @cached_property
    def by_line(self) -> Mapping[Line, list[Seen]]:
        """What runs each line; asked for when everything is noted."""
        found = defaultdict(list)
        for each in self.seen:
            for module, lines in each.lines.items():
                for line in lines:
                    found[module, line].append(each)
        return found

    def tests_of(self, change: Change, finds: Counter[str] | None = None) -> list[Test]:
        """Everything that runs the changed line, first what is likely to find it soon.

        That is what found the most in a second so far; what runs few lines, and a file that names
        the module, is trusted to find more.
        """
        found = {each.test: each for each in self._of(change)}
        finds = finds or Counter()

        def rate(test: Test) -> float:
            near = _NEAR if test.is_case or change.module in found[test].names else _FAR
            likely = finds[test.name] + near * _SMALL / (_SMALL + found[test].size)
            return likely / (test.seconds + (_LEAST_S if test.is_case else _PYTEST_S))

        return sorted(found, key=rate, reverse=True)

    def within(self, tests: list[Test]) -> list[Test]:
        """Every case, and as many of the first tests as there is time for."""
        if self.most_s is None:
            return tests
        so_far = accumulate(0.0 if test.is_case else test.seconds + _PYTEST_S for test in tests)
        pairs = zip(tests, so_far, strict=True)
        return [test for test, spent in pairs if test.is_case or spent <= self.most_s]

    def _of(self, change: Change) -> list[Seen]:
        if not change.is_in_function and not change.lines:
            return [
                each
                for each in self.seen
                if change.module in each.lines or change.module in each.names
            ]
        found = {
            each.test: each
            for line in change.lines
            for each in self.by_line.get((change.module, line), ())
        }
        return list(found.values())
