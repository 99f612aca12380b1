"""Tries changes where everything is imported and every test collected.

Each change is tried in a fork, in which the functions of the changed module get their changed
code, and its constants their changed values; nothing is imported again. What cannot be tried in
this way is told to be undecided.
"""

import ast
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from benchmarks.mutation import batch, runner
from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Finds, Test
from benchmarks.mutation.measure import Tracer
from benchmarks.mutation.runner import KILLED, SURVIVED, UNDECIDED, Asked

Told = tuple[int, int | None, str | None, tuple[Test, ...]]
"""Which part, which of its changes or none when it is done, what finds it, and what does not."""
Tell = Callable[[Told], None]
_Key = tuple[str, int]


@dataclass(frozen=True)
class Part:
    """The changes of one module."""

    path: Path
    module: str
    tree: ast.Module
    changes: list[Change]
    finds: Finds = field(default_factory=Finds)


def run(
    parts: list[Part], known: list[Test], asked: Asked, soon: Asked, tell: Tell, jobs: int = 1
) -> None:
    """Tell by what each change is found, then that a part is done; in a process of its own.

    What is asked `soon` is asked many to a process, the rest in a fork of its own.
    """

    def work(collected: list[pytest.Item], watch: runner.FirstFailure) -> None:
        items = {item.nodeid: item for item in collected}

        def there(ask: Asked) -> Asked:
            """Without tests that are called otherwise now."""
            return lambda change, finds: [
                test for test in ask(change, finds) if test.is_case or test.name in items
            ]

        functions = [each for each in gc.get_objects() if isinstance(each, FunctionType)]
        gc.collect()
        gc.freeze()
        first = partial(_first_to_fail, items, watch)
        tracer = Tracer({str(part.path): part.module for part in parts})
        for number, part in enumerate(parts):
            own = [each for each in functions if each.__code__.co_filename == str(part.path)]
            places = {change.key: place for place, change in enumerate(part.changes)}
            inner = [change for change in part.changes if change.is_in_function]
            rest = dict.fromkeys(part.changes)
            codes = partial(_codes, part, own)
            for result in batch.found(inner, codes, there(soon), first, tracer, part.finds):
                del rest[result.change]
                tell((number, places[result.change.key], result.by, result.asked))
            attempt = _attempt(part, own, first)
            for result in runner.tried([*rest], attempt, there(asked), jobs, part.finds):
                tell((number, places[result.change.key], result.by, result.asked))
            tell((number, None, None, ()))

    runner.suite_module()
    files = sorted({test.name.partition("::")[0] for test in known if not test.is_case})
    code, why = runner.by_tests(files, runner.ROOT, work=work, limits=known)
    if code != SURVIVED:
        raise RuntimeError(why)


def _attempt(part: Part, functions: list[FunctionType], first: batch.First) -> runner.Attempt:
    """Judges one change."""

    def attempt(change: Change, tests: list[Test]) -> tuple[int, str]:
        if change.is_in_function:
            news = _codes(part, functions, change)
            for function, code in (news or {}).items():
                function.__code__ = code
            is_made = bool(news)
        else:
            change.apply()
            is_made = _assign_again(part.tree, change)
        if not is_made:
            return UNDECIDED, ""
        by = first(tests, "")
        return (KILLED if by else SURVIVED), by

    return attempt


def _codes(
    part: Part, functions: list[FunctionType], change: Change
) -> dict[FunctionType, CodeType] | None:
    """The functions that a change gives another code, with that; None where that is unclear."""
    tops = [each for each in part.tree.body if each.lineno <= min(change.lines)]
    change.apply()
    module = compile(ast.Module(tops[-1:], []), str(part.path), "exec")
    change.revert()
    found = list(_inner(module))
    times = Counter(_key(code) for code in found)
    news = {_key(code): code for code in found}
    given: dict[FunctionType, CodeType] = {}
    for function in functions:
        code = function.__code__
        new = news.get(_key(code))
        if new is None or new == code:
            continue
        if times[_key(code)] > 1 or new.co_freevars != code.co_freevars:
            return None
        given[function] = new
    return given


def _key(code: CodeType) -> _Key:
    return code.co_qualname, code.co_firstlineno


def _inner(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _inner(each)


def _assign_again(tree: ast.Module, change: Change) -> bool:
    """Compute a module's constants again from the changed one on, for whoever has them by name.

    Whoever made something of them at import has what it made; so only what is found counts.
    """
    module = sys.modules.get(change.module)
    rest = [each for each in tree.body if (each.end_lineno or each.lineno) >= change.line]
    assigned = (ast.Assign, ast.AnnAssign)
    if module is None or not rest or not isinstance(rest[0], assigned):
        return False
    before = dict(vars(module))
    now = dict(before)
    again: list[ast.stmt] = [each for each in rest if isinstance(each, assigned)]
    exec(compile(ast.Module(again, []), change.module, "exec"), now)
    is_changed = False
    for name, old in before.items():
        if now[name] is not old and now[name] != old:
            is_changed = True
            for each in list(sys.modules.values()):
                if vars(each).get(name) is old:
                    setattr(each, name, now[name])
    return is_changed


def _first_to_fail(
    items: dict[str, pytest.Item], watch: runner.FirstFailure, tests: list[Test], before: str
) -> str:
    watch.name = ""
    for test in tests:
        runner.begin(test, before)
        if test.is_case:
            watch.name = runner.by_case(test)
        else:
            item = items[test.name]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if watch.name:
            return test.name
    return ""
