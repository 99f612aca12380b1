"""Tries changes many to a process, each against what is likely to find it soon.

Functions get their changed code, cases and tests run until one fails, and the functions get their
own code again. What a cache kept of a change is thrown away after it; in the end everything that
was asked runs as it was, and where one then fails nothing of the process is believed.
"""

import functools
import gc
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType

from benchmarks.mutation import runner
from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Finds, Test
from benchmarks.mutation.measure import Tracer

MANY = 100
Codes = Callable[[Change], dict[FunctionType, CodeType] | None]
First = Callable[[list[Test], str], str]  # the first of them that fails, or nothing


def found(
    changes: list[Change],
    codes: Codes,
    asked: runner.Asked,
    first: First,
    tracer: Tracer,
    finds: Finds,
) -> Iterator[runner.Result]:
    """Every change that something finds; of the others nothing is known."""
    caches = _caches(changes[0].module, tracer) if changes else []
    waiting = list(changes)
    while waiting:
        some = waiting[:MANY]
        told, at = runner.told(partial(_try, some, codes, asked, first, finds, caches))
        if at is not None:  # it came to no end
            told.append(at)
        for place, name in told:
            finds.note(name)
            yield runner.Result(some[place], name)
        waiting = waiting[len(some) if at is None else at[0] + 1 :]


def _try(
    some: list[Change],
    codes: Codes,
    asked: runner.Asked,
    first: First,
    finds: Finds,
    caches: list[Callable[[], None]],
    tell: Callable[[int, str], None],
) -> bool:
    """Whether what was told can be believed."""
    every: dict[Test, None] = {}
    for place, change in enumerate(some):
        news = codes(change)
        if not news:
            continue
        tests = asked(change, finds)
        every |= dict.fromkeys(tests)
        before = {function: function.__code__ for function in news}
        _give(news)
        by = _first(first, tests, f"{place} ")
        _give(before)
        for clear in caches:
            clear()
        if by:
            finds.note(by)
            tell(place, by)
    return not first([*every], f"{len(some)} ")


def _first(first: First, tests: list[Test], before: str) -> str:
    try:
        return first(tests, before)
    except BaseException as error:  # noqa: BLE001 - whatever a fault does, it is told
        return f"{type(error).__name__} in a case"


def _give(codes: dict[FunctionType, CodeType]) -> None:
    for function, code in codes.items():
        function.__code__ = code


def _caches(module: str, tracer: Tracer) -> list[Callable[[], None]]:
    """What throws away whatever a change could have left behind."""
    suite = runner.suite_module()
    suite.catalog.cache_clear()
    with tracer.on():
        suite.catalog()
    reads_catalogs = any(name == module for name, _ in tracer.lines)
    kept = set() if reads_catalogs else {suite.catalog}
    return [
        each.cache_clear
        for each in gc.get_objects()
        if isinstance(each, functools._lru_cache_wrapper)
        and each.__wrapped__.__code__.co_filename.startswith(_OURS)
        and each not in kept
    ]


_OURS = (str(runner.ROOT / "executor"), str(runner.ROOT / "tests"))
