"""A file and its one process: the production dispatcher says which run is driven, and when.

Runs of two tenants, each with a priority, wait for a few places. A process that was killed, or that
ended in good order, is followed by another one, which takes up what it finds. Where few calls of
the service may be made at once, runs that begin with several are driven together.
"""

import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from sim_judge import Violation
from sim_judge_turns import Turns

from executor.dispatch import local
from executor.dispatch.local import LocalDispatcher
from executor.store.drives import Due
from executor.store.errors import StoreError

if TYPE_CHECKING:
    from sim_history import History
    from sim_world import Worker, World

PLACES = (1, 1, 2, 3)
STARTS_S = (0.1, 1.0, 10.0)
SLEEP_S = 60.0  # virtual: until it looks by itself at all that is due


@contextmanager
def quiet(world: "World") -> Iterator[None]:
    """What the log says is in the judges' words; a dispatcher is told nothing for long times."""
    logs = [logging.getLogger(f"lamgate.{each}") for each in ("dispatch", "run")]
    sleep_s = local.LONGEST_SLEEP_S
    if world.queue is not None:
        local.LONGEST_SLEEP_S = SLEEP_S
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        local.LONGEST_SLEEP_S = sleep_s
        for log in logs:
            log.disabled = False


class Queue:
    """The dispatcher of whichever process there is."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = random.Random(f"queue {world.seed}")
        self._places = max(PLACES) if world.is_crowded else self._rng.choice(PLACES)
        self._dispatcher: LocalDispatcher | None = None
        self._worker: Worker | None = None
        self._count = 0

    async def run(self) -> None:
        """One process after the other, for ever."""
        while True:
            worker = self._worker = self._world.new_worker()
            dispatcher = self._dispatcher = LocalDispatcher(
                worker.store, concurrency=self._places, drain_s=10.0, clock=worker.process.clock
            )
            # Between a drive's turn and its first step there may be a look at all that is due.
            turns = Turns(self._world, self._places, dispatcher)
            worker.store.looked, worker.store.counted = turns.known, turns.begun
            machine = worker.machine
            dispatcher.register(
                "run", partial(self._drive, worker, turns), machine.put_aside, machine.halt
            )
            starting = worker.process.start(self._start(worker, dispatcher))
            await worker.process.ended.wait()
            self._dispatcher = None
            if starting.done() and not starting.cancelled():
                starting.result()
            await asyncio.sleep(self._rng.choice(STARTS_S))

    async def _start(self, worker: "Worker", dispatcher: LocalDispatcher) -> None:
        try:
            await dispatcher.start()
        except StoreError:  # it says so, and ends
            worker.process.kill()

    async def _drive(self, worker: "Worker", turns: Turns, due: Due, driver: str) -> None:
        """What the machine does; whatever goes wrong but the store is a mistake of ours."""
        life = self._world.life_of(due.id)
        life.say(f"{worker.process.name} drives {due.id}, {due.tenant}, rank {due.rank}")
        self._count += 1
        try:
            turns.begins(life)
            if self._count > 500 * len(self._world.lives):
                raise Violation("they are driven again and again")
            await worker.machine.drive(due, driver)
        except StoreError:
            self._ends(turns, life, has_failed=True)
            raise
        except Exception as error:
            self._world.break_with(error)
            raise
        self._ends(turns, life, has_failed=False)
        life.look()

    def _ends(self, turns: Turns, life: "History", *, has_failed: bool) -> None:
        try:
            turns.ends(life, has_failed=has_failed)
        except Violation as error:
            self._world.break_with(error)
            raise

    def submit(self, due: Due) -> None:
        """Something arrived for it, and whoever wrote that says so."""
        if self._dispatcher is not None and self._worker is not None:
            self._worker.process.do(partial(self._dispatcher.submit, due))

    def stop(self) -> None:
        """The process is to end in good order."""
        worker, dispatcher = self._worker, self._dispatcher
        if worker is None or dispatcher is None or not worker.goes_on:
            return
        self._world.say(f"{worker.process.name} stops")
        self._world.services.reached["stopped in good order"] += 1
        stopping = worker.process.start(dispatcher.stop())
        stopping.add_done_callback(lambda _: worker.process.kill())
