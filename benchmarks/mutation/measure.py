"""Measures what the suite and the tests run of some files, once and without any change."""

import ast
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from benchmarks.mutation.coverage import Coverage, Line, Test
from benchmarks.mutation.marks import mark_of, mark_of_case
from benchmarks.mutation.runner import ROOT, by_tests, silence, suite_module


class Tracer:
    """Notes the lines that run inside functions of some files."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self.lines: set[Line] = set()
        self.modules = frozenset(files.values())

    @contextmanager
    def on(self) -> Iterator[None]:
        """Take notes from here on, afresh."""
        self.lines = set()
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        module = self._files.get(frame.f_code.co_filename)
        # The code of a module and of a class body runs at import, once for everyone.
        if module is None or not frame.f_code.co_flags & 0x02:
            return None
        lines = self.lines
        lines.add((module, frame.f_lineno))

        def line(frame: FrameType, event: str, arg: object) -> Any:
            lines.add((module, frame.f_lineno))
            return line

        return line


def measured(
    files: dict[Path, str],
    names: list[str],
    root: Path = ROOT,
    *,
    with_suite: bool = True,
    known: Collection[str] = (),
) -> Coverage:
    """Run everything once, unchanged; to be called in a process of its own.

    `known` are the marks of cases that need not be run again.
    """
    tracer = Tracer({str(path): module for path, module in files.items()})
    coverage = Coverage()
    if with_suite:
        _suite(coverage, tracer, known)
    silence()
    if names:
        code, why = by_tests([*names, "--maxfail=1000"], root, _Watch(coverage, tracer))
        if code > 1:
            raise RuntimeError(why)
    return coverage


def _suite(coverage: Coverage, tracer: Tracer, known: Collection[str]) -> None:
    suite = suite_module()
    import suite_cases

    for case in suite.CASES:
        mark = mark_of_case(case)
        if mark in known:
            continue
        # What was read for another case would not be read again, and not be seen.
        suite_cases._policy.cache_clear()
        suite_cases.catalog.cache_clear()
        start = time.process_time()
        with tracer.on():
            try:
                suite.test_admission_says_what_the_case_says(case)
            except Exception:  # noqa: BLE001 - a case that fails is no judge
                coverage.failing.append(case.name)
                continue
        seconds = time.process_time() - start
        coverage.add(Test(case.name, is_case=True, seconds=seconds, mark=mark), tracer.lines)


@cache
def named_in(path: Path) -> frozenset[str]:
    """The modules that a file imports by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(found)


class _Watch:
    """Traces each test; what a file runs at its import counts for each of its tests."""

    def __init__(self, coverage: Coverage, tracer: Tracer) -> None:
        self._coverage = coverage
        self._tracer = tracer
        self._of_file: dict[str, set[Line]] = {}
        self._failed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        with self._tracer.on():
            found = yield
        self._of_file.setdefault(collector.nodeid, set()).update(self._tracer.lines)
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self._failed = False
        start = time.process_time()
        with self._tracer.on():
            found = yield
        lines = self._tracer.lines | self._of_file.get(item.nodeid.partition("::")[0], set())
        is_case = "test_admission_says_what_the_case_says" in item.nodeid
        if self._failed:
            self._coverage.failing.append(item.nodeid)
        elif not is_case:
            seconds = time.process_time() - start
            names = self._tracer.modules & named_in(item.path)
            if lines or names:
                mark = mark_of(item.path)
                test = Test(item.nodeid, is_case=False, seconds=seconds, mark=mark)
                self._coverage.add(test, lines, names)
        return found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed
