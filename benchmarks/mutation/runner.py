"""Runs each change in a process of its own: the suite first, then the tests that see its line.

A change inside of a function is tried where everything is imported and collected already
(`warm.py`). For any other one, and for what an import runs, the parent has imported everything
that the changed module is not part of, and forks; the child compiles the changed tree in place of
the module's source, imports the rest, and runs what ran the changed line before (`coverage.py`)
until something fails. Nothing is written anywhere.
"""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import mmap
import os
import pickle
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings

from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Finds, Test

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "tests" / "suite"
FEW = 10
MOST_BYTES = 3 * 2**30  # of memory: what grows without end is found
SURVIVED, KILLED, UNDECIDED, _BROKEN = 0, 1, 2, 9
_SLACK_S = 2.0  # of the processor, like every limit: a busy machine finds nothing
_IMPORT_S = 15.0
_LONGEST_S = 60  # of one test, by the clock: what waits for something that never comes
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Result:
    """What became of one change."""

    change: Change
    by: str | None  # a case, a test, the time limit; empty if it survives, None if undecided
    asked: tuple[Test, ...] = ()  # what did not find it

    @property
    def is_killed(self) -> bool:
        return bool(self.by)


Attempt = Callable[[Change, list[Test]], tuple[int, str]]
# What to ask about a change, in order, by how much each test found so far.
Asked = Callable[[Change, Finds], list[Test]]


def run(
    changes: list[Change],
    tree: ast.Module,
    asked: Asked,
    jobs: int = 1,
    root: Path = ROOT,
) -> Iterator[Result]:
    """What becomes of each change, in a process that has imported nothing that is changed."""
    return tried(changes, lambda change, tests: _try(change, tree, tests, root), asked, jobs)


def tried(
    changes: list[Change],
    attempt: Attempt,
    asked: Asked,
    jobs: int = 1,
    finds: Finds | None = None,
) -> Iterator[Result]:
    """The results in the order in which they come."""
    finds = Finds() if finds is None else finds
    waiting = list(reversed(changes))
    running: dict[int, tuple[Change, list[Test], _Child]] = {}  # by the pipe that its end closes
    while waiting or running:
        while waiting and len(running) < jobs:
            change = waiting.pop()
            tests = asked(change, finds)
            child = _fork(lambda: attempt(change, tests))  # noqa: B023 - called at once
            running[child.pipe] = (change, tests, child)
        pipe = select.select([*running], [], [])[0][0]
        change, tests, child = running.pop(pipe)
        with os.fdopen(pipe, "rb") as told:
            by = told.read().decode()
        _, status = os.waitpid(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == _BROKEN:
            raise RuntimeError(f"{change.key}: {by}")
        if code == UNDECIDED:
            yield Result(change, None)
            continue
        by = by or ("" if code == SURVIVED else child.at() or "the time limit")
        finds.note(by)
        yield Result(change, by, () if by else tuple(tests))


def in_child(work: Callable[[], _Value]) -> _Value:
    """What the work gives in a process of its own; it leaves no trace here."""

    def once(tell: Callable[[_Value], None]) -> None:
        tell(work())

    (value,) = told_by_child(once)
    return value


def told_by_child(work: Callable[[Callable[[_Value], None]], None]) -> Iterator[_Value]:
    """What work in a process of its own tells, as soon as it is told."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as out:

            def tell(value: _Value) -> None:
                pickle.dump((value, ""), out)
                out.flush()

            try:
                work(tell)
            except BaseException:  # noqa: BLE001 - told to the parent, which raises
                pickle.dump((None, traceback.format_exc()), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        while told.peek(1):
            value, error = pickle.load(told)
            if error:
                raise RuntimeError(error)
            yield value
    os.waitpid(pid, 0)


@dataclass(frozen=True)
class _Child:
    """A process that judges one change: the pipe that it tells by, and what it is at."""

    pid: int
    pipe: int
    board: mmap.mmap

    def at(self) -> str:
        """The test that it was at when it ended."""
        return self.board[:].rstrip(b"\0").decode()


def begin(test: Test, before: str = "") -> None:
    """Write down which test is next, and end this process if that comes to no end."""
    if _board is not None:
        _board[:] = f"{before}{test.name}".encode()[: len(_board)].ljust(len(_board), b"\0")
        signal.setitimer(signal.ITIMER_PROF, _SLACK_S + 5 * test.seconds)


_board: mmap.mmap | None = None
_writing: int | None = None


def _fork(work: Callable[[], tuple[int, str]]) -> _Child:
    global _board, _writing  # one for each process
    board = mmap.mmap(-1, 512)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(pid, reading, board)
    os.setpgid(0, 0)
    os.close(reading)
    _board, _writing = board, writing
    code, by = _BROKEN, "it was not run"
    try:
        silence()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        signal.setitimer(signal.ITIMER_PROF, _IMPORT_S)
        code, by = work()
    except BaseException as error:  # noqa: BLE001 - whatever a fault does, it is told
        code, by = KILLED, f"{type(error).__name__} at import"
    finally:
        os.write(writing, by.encode()[:4000])
        os._exit(code)


def told(
    work: Callable[[Callable[[int, str], None]], bool],
) -> tuple[list[tuple[int, str]], tuple[int, str] | None]:
    """What work in a process of its own tells of places, and at which it came to no end.

    Nothing, if it says in the end that it cannot be believed.
    """

    def written() -> tuple[int, str]:
        assert _writing is not None
        out = _writing

        def tell(place: int, name: str) -> None:
            os.write(out, f"{place} {name}\n".encode())

        return (SURVIVED if work(tell) else UNDECIDED), ""

    child = _fork(written)
    with os.fdopen(child.pipe, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    _, status = os.waitpid(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    pairs = [(int(place), name) for place, _, name in (line.partition(" ") for line in lines)]
    if code < 0:
        place, _, name = child.at().partition(" ")
        return pairs, (int(place), name)
    if code in (KILLED, _BROKEN):
        raise RuntimeError(lines)
    return (pairs if code == SURVIVED else []), None


def silence() -> None:
    """Nothing of what a child prints is of interest."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nowhere, each)


def _try(change: Change, tree: ast.Module, tests: list[Test], root: Path) -> tuple[int, str]:
    change.apply()
    install(change.module, tree)
    importlib.import_module(change.module)
    if by := by_suite(tests):
        return KILLED, by
    rest = [test for test in tests if not test.is_case]
    names = [test.name for test in rest]
    code, by = by_tests(names, root, limits=rest) if names else (SURVIVED, "")
    if code == _BROKEN:  # a test is called otherwise now: all of the files, then
        return by_tests(list(dict.fromkeys(name.partition("::")[0] for name in names)), root)
    return code, by


def install(module: str, tree: ast.Module) -> None:
    """From now on the module is what the tree says, for all that is imported in this process."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    path = spec.origin
    code = compile(tree, path, "exec")

    class Loader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:
            return code

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(
            self, fullname: str, _path: object, _target: ModuleType | None = None
        ) -> importlib.machinery.ModuleSpec | None:
            if fullname != module:
                return None
            loader = Loader(fullname, path)
            return importlib.util.spec_from_file_location(fullname, path, loader=loader)

    # Whoever was imported before holds on to the module as it was.
    for name in [name for name in sys.modules if name.partition(".")[0] == module.split(".")[0]]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())


def by_suite(tests: list[Test]) -> str:
    """The first case among these that says something else, or nothing."""
    for test in tests:
        if test.is_case:
            begin(test)
            if by := by_case(test):
                return by
    return ""


def by_case(test: Test) -> str:
    """The case if it says something else, or nothing."""
    try:
        suite_module().test_admission_says_what_the_case_says(_cases()[test.name])
    except Exception:  # noqa: BLE001 - any error is a difference
        return test.name
    return ""


@cache
def _cases() -> dict[str, Any]:
    return {case.name: case for case in suite_module().CASES}


def suite_module() -> Any:
    """`tests/suite/test_suite.py`, as its own tests import it."""
    if str(SUITE) not in sys.path:
        sys.path.insert(0, str(SUITE))
    return importlib.import_module("test_suite")


def by_tests(
    names: list[str],
    root: Path,
    plugin: object = None,
    work: "Work | None" = None,
    limits: Iterable[Test] = (),
) -> tuple[int, str]:
    """Whether one of these tests, as named below a folder, fails, and which.

    If some work is given, they are only collected for it.
    """
    watch = FirstFailure(work, limits)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={_LONGEST_S}"]
    options += ["--hypothesis-seed=0", "--assert=plain", "--capture=sys", "--tb=no"]
    with contextlib.chdir(root):
        code = pytest.main([*options, *names], plugins=[watch, *([plugin] if plugin else [])])
    if code not in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        return (KILLED if code else SURVIVED), watch.name
    return _BROKEN, f"pytest ended with {code}: {watch.name}"


class FirstFailure:
    """Names the first test that fails; hypothesis tries few examples and keeps none."""

    def __init__(self, work: "Work | None" = None, limits: Iterable[Test] = ()) -> None:
        self.name = ""
        self._work = work
        self._limits = {test.name: test for test in limits}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._work is None:
            return None
        self._work(session.items, self)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        phases = (Phase.explicit, Phase.generate)
        few = settings(settings.get_profile("default"), database=None, phases=phases)
        settings.register_profile("mutation", few, max_examples=FEW)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._work is None and nodeid in self._limits:
            begin(self._limits[nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


Work = Callable[[list[pytest.Item], FirstFailure], None]
