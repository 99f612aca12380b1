"""Tries changes against the cases of the suite alone, many of them in one process.

Functions get their changed code, the cases run until one says something else, and the functions
get their own code again. What a cache kept of a change is thrown away after it; in the end every
case is run as it was, and where one then fails nothing of the process is believed.
"""

import functools
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType

from benchmarks.mutation import runner
from benchmarks.mutation.changes import Change
from benchmarks.mutation.coverage import Test
from benchmarks.mutation.measure import Tracer

MANY = 60
Codes = Callable[[Change], dict[FunctionType, CodeType] | None]


def by_cases(
    changes: list[Change], codes: Codes, asked: runner.Asked, tracer: Tracer
) -> Iterator[runner.Result]:
    """The case that finds each change, or none; nothing of those that cannot be judged here."""
    caches = _caches(changes[0].module, tracer) if changes else []
    finds: Counter[str] = Counter()
    waiting = list(changes)
    while waiting:
        some = waiting[:MANY]
        told, at = runner.told(partial(_try, some, codes, asked, finds, caches))
        if at is not None:  # it came to no end
            told.append(at)
        for place, name in told:
            finds[name] += 1
            yield runner.Result(some[place], name)
        waiting = waiting[len(some) if at is None else at[0] + 1 :]


def _try(
    some: list[Change],
    codes: Codes,
    asked: runner.Asked,
    finds: Counter[str],
    caches: list[Callable[[], None]],
    tell: Callable[[int, str], None],
) -> bool:
    """Whether what was told can be believed."""
    every: dict[Test, None] = {}
    for place, change in enumerate(some):
        news = codes(change)
        if not news:
            continue
        cases = [test for test in asked(change, finds) if test.is_case]
        every |= dict.fromkeys(cases)
        before = {function: function.__code__ for function in news}
        _give(news)
        by = _first(cases, place)
        _give(before)
        for clear in caches:
            clear()
        finds[by] += 1
        tell(place, by)
    return not _first([*every], len(some))


def _first(cases: list[Test], place: int) -> str:
    try:
        return runner.by_suite(cases, f"{place} ")
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
        and each.__wrapped__.__module__.partition(".")[0] in ("executor", "suite_cases")
        and each not in kept
    ]
