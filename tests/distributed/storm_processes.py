"""The processes of a storm: how long it lasts, what dies in it, and what they say at its end."""

import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from premises import Site
from storm import Person, Storm

SECONDS = float(os.environ.get("LAMGATE_STORM_S", "6"))
PATIENCE_S = 90.0
PEOPLE, WORKERS, KILLED_EVERY_S = 6, 2, 4.0
OF_DEATHS = ("took over", "processes in a row died")
UNBOUNDED = {"LAMGATE_ALLOWANCE__READS": "0", "LAMGATE_ALLOWANCE__WRITES": "0"}


def rage(storm: Storm, kill: Callable[[], None], person: type[Person] = Person) -> None:
    """Let people live for a while, and processes die; raises what went wrong with a person.

    On a busy machine it lasts until enough has happened, if anything does.
    """
    begun = time.monotonic()

    def goes_on() -> bool:
        lasts = time.monotonic() - begun
        return lasts < SECONDS or (lasts < PATIENCE_S and not storm.has_come_by_enough())

    with ThreadPoolExecutor(PEOPLE) as people:
        lives = [people.submit(person(storm, number).live) for number in range(PEOPLE)]
        try:
            while goes_on() and not any(life.done() for life in lives):
                wait(lives, timeout=KILLED_EVERY_S, return_when=FIRST_EXCEPTION)
                kill()
        finally:
            storm.is_over.set()
    for life in lives:
        life.result()


def ended(place: Site) -> list[str]:
    """End all processes, and return what they took for wrong, but for that others died."""
    for process in place.started:
        process.terminate()
    told = [process.communicate(timeout=60)[1] for process in place.started]
    return of_no(OF_DEATHS, [line for text in told for line in text.splitlines()])


def of_no(words: tuple[str, ...], lines: list[str]) -> list[str]:
    """Those that say none of these."""
    return [line for line in lines if not any(each in line for each in words)]
