"""Which lines of the checks each case of the suite and each test runs, and how long it takes.

A change is held only against what ran its line without it; what fails without any change is no
judge of one. A constant is held against what runs a line that uses it; anything else that runs at
import against everything that runs the module at all, and the tests of each file that names it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from heapq import heapify, heappop, heappush
from itertools import accumulate

from benchmarks.mutation.changes import Change

Line = tuple[str, int]
_OTHERS = 0.1  # what others of its file found tells so much of a test
_LAYERS = 5
_TURN = 0.3  # how soon other files have their turn
_LEAST_S = 0.002  # of a case
_PYTEST_S = 0.005  # around a test


@dataclass(frozen=True)
class Test:
    """A case of the suite, or a test by its node id."""

    name: str
    is_case: bool
    seconds: float
    mark: str = ""  # of its text: another one when it may say something else


def cost(test: Test) -> float:
    """How many seconds it takes with what is around it."""
    return test.seconds + (_LEAST_S if test.is_case else _PYTEST_S)


@cache
def file_of(name: str) -> str:
    """The file that a test or a case stands in, by its name."""
    return re.split("::|: ", name)[0]


@cache
def is_about(name: str, module: str) -> bool:
    """Whether the file of a test or case bears the module's name."""
    return module.rpartition(".")[2] in re.split("[^a-z]", file_of(name))


class Finds(Counter[str]):
    """How much each test found so far, and each file of them."""

    def note(self, by: str) -> None:
        """One more is found."""
        self.update((by, file_of(by)))


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

    def add(self, test: Test, lines: Iterable[Line], names: Iterable[str] = ()) -> None:
        """Note what a test ran, and the modules that its file names."""
        by_module = defaultdict(set)
        for module, line in lines:
            by_module[module].add(line)
        frozen = {module: frozenset(each) for module, each in by_module.items()}
        self.seen.append(Seen(test, frozen, frozenset(names)))

    @cached_property
    def layers(self) -> Mapping[Test, int]:
        """The tests in layers: few and fast ones that run every line, then such of the rest."""
        places: dict[Line, int] = {}
        runs: dict[Test, int] = {}  # by test, a bit for each line
        for each in self.seen:
            lines = ((module, line) for module, found in each.lines.items() for line in found)
            runs[each.test] = sum(1 << places.setdefault(line, len(places)) for line in lines)
        found: dict[Test, int] = {}
        for layer in range(1, _LAYERS):
            covered = 0
            order = [(-runs[test].bit_count() / cost(test), test.name, test) for test in runs]
            heapify(order)
            while order:
                _, name, test = heappop(order)
                gain = -(runs[test] & ~covered).bit_count() / cost(test)
                if gain and order and gain > order[0][0]:
                    heappush(order, (gain, name, test))
                elif gain:
                    covered |= runs[test]
                    found[test] = layer
                    del runs[test]
        return found | dict.fromkeys(runs, _LAYERS)

    @cached_property
    def marks(self) -> Mapping[str, str]:
        """The mark of each test, by its name."""
        return {each.test.name: each.test.mark for each in self.seen}

    @cached_property
    def known_marks(self) -> frozenset[str]:
        """The marks of all tests, and that of what needs none: the time limit, an import."""
        return frozenset(("", *self.marks.values()))

    @cached_property
    def by_line(self) -> Mapping[Line, list[Seen]]:
        """What runs each line; asked for when everything is noted."""
        found = defaultdict(list)
        for each in self.seen:
            for module, lines in each.lines.items():
                for line in lines:
                    found[module, line].append(each)
        return found

    def tests_of(self, change: Change, finds: "Finds | None" = None) -> list[Test]:
        """Everything that runs the changed line, first what is likely to find it soon.

        That is what found the most in a second so far, itself or others of its file; and what runs
        much of the module and little else, or bears its name. Tests that run the same lines come
        late (`layers`), and not all of one file are asked before those of others, but of the file
        that bears the name.
        """
        found = {each.test: each for each in self._of(change)}
        finds = finds or Finds()
        own = {test: len(seen.lines.get(change.module, ())) for test, seen in found.items()}
        most = max(own.values(), default=0) or 1

        def rate(test: Test) -> float:
            seen = found[test]
            near = own[test] / most + own[test] / (seen.size or 1)
            near += change.module in seen.names or is_about(test.name, change.module)
            return (
                (finds[test.name] + _OTHERS * finds[file_of(test.name)] + near)
                / cost(test)
                / self.layers[test]
            )

        rates = {test: rate(test) for test in found}
        before: Counter[str] = Counter()
        for test in sorted(found, key=rates.__getitem__, reverse=True):
            file = file_of(test.name)
            if test.is_case or not is_about(test.name, change.module):
                rates[test] /= 1 + _TURN * before[file]
            before[file] += 1
        return sorted(found, key=rates.__getitem__, reverse=True)

    def within(self, tests: list[Test], most_s: float) -> list[Test]:
        """As many of the first tests as there is time for."""
        so_far = accumulate(map(cost, tests))
        return [test for test, spent in zip(tests, so_far, strict=True) if spent <= most_s]

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
