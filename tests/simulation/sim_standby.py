"""A server's standby takes over that lacks its last commits, amid a call of the run or later.

One process drives, and lives on. Whatever it has seen of the run that is gone, it has to notice,
call nothing more, and put the run aside with what it knows. Where nothing is gone that it has seen,
all goes on as it would have.
"""

import asyncio
import random
from math import inf
from typing import TYPE_CHECKING

from sim_judge import judge_effects, must

from executor.run.machine import Machine
from executor.run.quarantine import LOST
from executor.store.errors import StoreError

if TYPE_CHECKING:
    from sim_history import History
    from sim_world import World

LOOKS_AGAIN_S = 10.0  # a process for rows that it is said to drive, and does not
_CALLS = "SELECT step, iteration, n FROM attempts WHERE run = ?"
_CODE = "SELECT status, code FROM runs WHERE id = ?"


class Standby:
    """When it falls behind, and when it takes over."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = rng = random.Random(f"standby {world.seed}")
        self._writes = 0
        self._behind_at = rng.randint(1, 14)  # the first write that it lacks
        self._lacks = rng.choice([1, 1, 1, 2, 3, 6])  # at least
        self._at = inf  # when it took over
        self._is_amid = world.kind == "standby"  # a call of the run; else it takes over at any time
        self._is_going = False  # the server, or gone already
        self._begun: set[tuple[object, ...]] = set()  # which calls the process knew of by then

    @property
    def is_coming(self) -> bool:
        """Whether it will still take over, whatever has ended by now."""
        return self._is_going and not self.has_taken_over

    @property
    def has_taken_over(self) -> bool:
        """What the rows tell is not all that happened, from now on."""
        return self._at < inf

    def there(self, where: str) -> None:
        """Just here it may fall behind, or take over while a call is under way."""
        if self.has_taken_over or self._is_going:
            return
        if where == "before the write":
            self._writes += 1
            if self._writes == self._behind_at:
                self._world.database.fall_behind()
        if self._writes < self._behind_at + self._lacks:
            return
        if not self._is_amid:
            self._go()
        elif any(self._world.services.at_once.values()):
            self._take_over()

    def _go(self) -> None:
        """The server fails now or soon; some time later the standby takes over."""
        self._is_going = True
        rng, loop = self._rng, asyncio.get_running_loop()
        fails_in = rng.choice([0.0, rng.uniform(0.0, 0.1), rng.uniform(0.0, 10.0)])
        if rng.random() < 0.7:
            loop.call_later(fails_in, self._world.chaos.lose_database)
        loop.call_later(fails_in + rng.choice([0.0, 0.05, 2.0, 30.0]), self._take_over)

    def _take_over(self) -> None:
        self._at = self._world.now()
        world = self._world
        (life,) = world.lives
        self._begun = {*life.ask(_CALLS)}
        world.say("a standby takes over that lacks the last commits")
        world.database.take_over()
        life.forget()
        asyncio.get_running_loop().call_later(LOOKS_AGAIN_S, life.ring)
        for each in (life.people.cancel, life.people.hear, life.people.cancel):
            if self._rng.random() < 0.4:  # what others write may stand in the place of what is gone
                asyncio.get_running_loop().call_later(self._rng.uniform(0.001, 0.1), each)
        if self._rng.random() < 0.5:
            world.chaos.lose_database()
        if not self._is_amid and self._rng.random() < 0.5:
            beat_s = self._rng.uniform(0.0, 1.1)
            asyncio.get_running_loop().call_later(beat_s, self._begin_to_look_back)

    def _begin_to_look_back(self) -> None:
        """As a dispatcher does; in half of the worlds it comes too late for anything."""
        worker = self._world.any_worker()
        task = worker.process.start(self._look_back(worker.machine))
        task.add_done_callback(self._see_end)

    async def _look_back(self, machine: Machine) -> None:
        while True:
            try:
                return await machine.look_back()
            except StoreError:
                await asyncio.sleep(1.0)

    def _see_end(self, look: "asyncio.Task[None]") -> None:
        error = None if look.cancelled() else look.exception()
        if error is not None:
            self._world.break_with(error)

    def judge(self, history: "History") -> bool:
        """Whether the run was put aside by who knew more than the journal, and if so, rightly."""
        if history.ask(_CODE) != [("quarantined", LOST)]:
            return False
        finish = history.state().finished
        assert finish is not None
        must(self.has_taken_over, "it says that something is lost, and nothing is")
        judge_effects(history, finish)
        for seen in history.services.seen:
            call = (*seen.place, seen.context.attempt)
            was_begun = seen.at < self._at or call in self._begun
            must(was_begun, f"{call} is begun though the journal is lost")
        history.services.reached["a journal is lost"] += 1
        return True
