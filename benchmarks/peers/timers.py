"""An event loop whose timers are exact to the microsecond, for calls that take a given time.

The usual one waits for whole milliseconds, counted from when it has nothing else to do: what a run
does while a call is under way would lengthen that call, of which no service knows anything.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_exactly(main: Coroutine[object, object, T]) -> T:
    """What `asyncio.run` does, on such a loop."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
