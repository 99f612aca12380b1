"""How often a process looks for garbage.

Nearly all that a run makes is let go of with the last reference to it; what Python looks for is
cycles, and there are few. It would look after every 700 new objects, and over all that stays, too.
"""

import atexit
import gc

AFTER = 50_000  # new objects


def look_rarely() -> None:
    """Once everything stands that stays: do not look at that again, and at new things seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(AFTER, *gc.get_threshold()[1:])


def look_hardly() -> None:
    """What a command loads stays to its end, when looking through it all would be for nothing."""
    gc.set_threshold(AFTER, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
