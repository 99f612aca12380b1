"""What goes wrong around a run, at any moment and above all where it hurts most.

Each history draws how much of what goes wrong in it (swarm testing): where everything is likely at
once, one fault hides what another would show.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from sim_plans import TENANT, TIMEOUT_S
from sim_process import LEASE_S, Process
from sim_wide import Rules
from sqlalchemy import Connection

from executor.store import recovery, waking
from executor.store.permits import Blocked, Permits

if TYPE_CHECKING:
    from sim_history import History
    from sim_people import People
    from sim_world import World

LOST_AFTER_S = LEASE_S + 1.0  # a drive that its process seems to have lost is given to another
# Seconds, past the lease at most: what tries again meanwhile finds the same each time.
LOST_S = (0.1, 3.0, 3.0, LEASE_S + 2.0)
FULL_S = (0.3, 3.0, 6.0)
HANGS_UP = (0.0, 0.0, 0.0, 0.0, 0.03, 0.15)  # how likely it is at one commit
CUT_OFF_S = (0.5, LEASE_S + 3.0)


class Chaos:
    """Everything that may happen to processes, the database and the run."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = rng = world.rng
        self.is_over = False
        self._left = rng.choice([0, 1, 3, 6, 12])  # of what happens between two steps
        self._chance = rng.choice([0.02, 0.05, 0.2, 0.5])
        self._by_itself = rng.choice([0, 3, 6, 12])  # of what happens at any time
        everything: list[Callable[[], Awaitable[None] | None]] = [
            self._kill, self._stand_still, self.lose_database, self._cut_off, self.take_over,
            self._wake, self._jump, self._decide, self._find_out, self._cancel,
            self._fill, self._stop, self._hear, self._hear,
        ]  # fmt: skip
        self._kinds = rng.sample(everything, rng.randint(1, len(everything)))
        there: list[Callable[[Process, str], None]] = [
            self._killed, self._killed, self._stopped, self._stopped, self._overtaken,
            self._overtaken, self._cancelled, self._decided, self._found_out, self._woken,
            self._lost, self._filled, self._no_more, self._heard,
        ]  # fmt: skip
        self._kinds_there = rng.sample(there, rng.randint(1, len(there)))

        if (queue := world.queue) is not None:
            self._kinds.append(queue.stop)
            self._kinds_there.append(lambda _, __: queue.stop())
        if (rules := world.lives[0].rules) is not None:
            self._widen(rules)

        if world.mistaken is not None and rng.random() < 0.6:  # so more is told late
            self._kinds_there += [self._stopped, self._overtaken] * 3
            self._left, self._chance = max(self._left, 6), max(self._chance, 0.2)
        if world.standby is not None:
            self._let_live()

    def _let_live(self) -> None:
        """Nothing ends the one process, or takes what it drives, or keeps it from calling."""
        never = (self._kill, self._stand_still, self.take_over, self._stop,
                 self._killed, self._stopped, self._overtaken, self._no_more)  # fmt: skip
        self._kinds = [each for each in self._kinds if each not in never] or [self._wake]
        there = [each for each in self._kinds_there if each not in never]
        self._kinds_there = there or [self._woken]

    def _widen(self, rules: Rules) -> None:
        """What happens in wider worlds alone, in some of them."""
        self._wide = wide = rules.rng
        world = self._world
        more: list[Callable[[], None]] = [
            lambda: rules.change(world.now()), lambda: self._any_life().people.reply(), self._drain,
            self._another_calls, self._another_calls,
        ]  # fmt: skip
        if wide.random() < 0.15:
            more.append(self._put_aside)
        chosen = wide.sample(more, wide.randint(0, len(more)))
        self._kinds += chosen
        self._kinds_there += [lambda _, __, each=each: each() for each in chosen]
        self._by_itself = max(self._by_itself, wide.choice([0, 3, 6]))

    def gives_back(self, history: "History", name: str) -> bool:
        """Whether somebody looks after what the drive left, rather than goes on under its name."""
        if not self._world.is_alone and self._wide.random() < 0.5:
            return False
        how = self._wide.choice([recovery.hand_back, recovery.release])
        self._world.database.do(partial(how, now=self._world.wall(), driver=name))
        history.services.reached["given back"] += 1
        return True

    def _drain(self) -> None:
        """A process is to end in good order."""
        worker = self._world.any_worker()
        self._world.say(f"{worker.process.name} is drained")
        worker.machine.halt()
        self._world.services.reached["drained"] += 1

    def _another_calls(self) -> None:
        """Another run asks for a call of the same connection; it may never come for its turn."""
        world, now = self._world, self._world.wall()

        def work(c: Connection) -> Blocked | None:
            permits = Permits(c, TENANT)
            blocked = permits.take("shop", world.limits, now, TIMEOUT_S, "another")
            permits.close()
            return blocked

        blocked = world.database.do(work)
        told = "begins" if blocked is None else f"waits for {blocked.reason}"
        world.services.reached[f"another {told}"] += 1
        if blocked is None:
            world.services.others.append(now)

    def _put_aside(self) -> None:
        """Whatever the mistake is that breaks its drive."""
        life, worker = self._any_life(), self._world.any_worker()
        if self._world.is_alone or not life.is_there:
            return  # a drive that is under way is not broken
        name = life.holder() or "nobody yet"
        life.say(f"{worker.process.name} puts it aside")
        task = worker.process.start(
            worker.machine.put_aside(life.due, name, RuntimeError("a mistake"))
        )
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def begin(self) -> None:
        """What may happen at any commit: a server hangs up, having made it or not."""
        rng = random.Random(f"hangs up {self._world.seed}")
        likely = 0.0 if self._world.is_alone else rng.choice(HANGS_UP)
        self._world.database.hangs_up = lambda: not self.is_over and rng.random() < likely
        self._world.database.makes_it = lambda: rng.random() < 0.6

    async def run(self) -> None:
        """Something, again and again, at any time."""
        for _ in range(self._by_itself):
            await asyncio.sleep(self._rng.choice([0.0, 0.01, 0.3, 2.0, 8.0, 30.0]))
            for _ in range(self._rng.randrange(12)):
                await asyncio.sleep(0)  # to anywhere between two steps of any task
            found = self._rng.choice(self._kinds)()
            if found is not None:
                await found

    def there(self, process: Process, where: str) -> None:
        """Just here, between two steps of the protocol."""
        rng = self._rng
        if (standby := self._world.standby) is not None:
            standby.there(where)
        for life in self._world.lives:
            self._people_there(life.people, where)
        if self.is_over or self._left <= 0 or process.is_dead or rng.random() > self._chance:
            return
        self._left -= 1
        rng.choice(self._kinds_there)(process, where)

    def _people_there(self, people: "People", where: str) -> None:
        """Whoever acts just here."""
        if people.are_eager and where == "before the write" and self._rng.random() < 0.3:
            people.answer(willing=False)  # just when the run is about to wait for them
        if people.regret and where == "after the write" and people.is_past_a_pivot():
            people.cancel("undo")  # when there is no way back
        if people.hear_soon and where == "before the write" and self._rng.random() < 0.1:
            people.hear()  # just when it is about to find out by itself

    def _any_life(self) -> "History":
        lives = self._world.lives
        return lives[0] if len(lives) == 1 else self._rng.choice(lives)

    # ---- just there

    def _killed(self, process: Process, where: str) -> None:
        self._world.say(f"{process.name} is killed at {where}")
        process.kill()

    def _stopped(self, process: Process, where: str) -> None:
        """Past its lease, so that whoever takes over finds what was begun; and then it goes on."""
        self._stop_for(process, self._rng.choice([5.0, 20.0, 200.0]))

    def _overtaken(self, process: Process, where: str) -> None:
        self.take_over()

    def _cancelled(self, process: Process, where: str) -> None:
        self._cancel()

    def _decided(self, process: Process, where: str) -> None:
        self._decide()

    def _found_out(self, process: Process, where: str) -> None:
        self._find_out()

    def _woken(self, process: Process, where: str) -> None:
        self._wake()

    def _lost(self, process: Process, where: str) -> None:
        self._lose_database_for(self._rng.choice(LOST_S))

    def _filled(self, process: Process, where: str) -> None:
        self._fill()

    def _no_more(self, process: Process, where: str) -> None:
        self._stop()

    def _heard(self, process: Process, where: str) -> None:
        self._hear()

    # ---- at any time

    def _stop_for(self, process: Process, seconds: float) -> None:
        self._world.say(f"{process.name} stands still for {seconds} s")
        process.stop()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, process.go_on)
        loop.call_later(min(seconds, LOST_AFTER_S), self.take_over)

    def _kill(self) -> None:
        worker = self._world.any_worker()
        self._world.say(f"{worker.process.name} is killed")
        worker.process.kill()
        if self._world.queue is None:
            self._world.new_worker()

    def _stand_still(self) -> None:
        """Stopped for a while, in which another may take over."""
        process = self._world.any_worker().process
        self._stop_for(process, self._rng.choice([0.5, 20.0, 200.0]))

    def take_over(self) -> None:
        """Another process is given what one drives whose lease is over, or that only seems dead."""
        if self._world.is_alone:
            return
        world, errs = self._world, self._rng.random() < 0.6
        lost = {name: (life, found[0]) for life in world.lives
                for name, found in life.drives.items()
                if errs or found[0].process.lease_ends() < world.now()}  # fmt: skip
        if not lost or self.is_over:
            return
        name, (life, worker) = self._rng.choice([*lost.items()])
        other = self._rng.choice([*world.workers, world.new_worker()])
        if other.goes_on and other is not worker:
            life.drive(name, other)

    def lose_database(self) -> None:
        """It answers nobody for a while."""
        self._lose_database_for(self._rng.choice(LOST_S))

    def _lose_database_for(self, seconds: float) -> None:
        database = self._world.database
        if database.is_lost:
            return
        self._world.say(f"the database is lost for {seconds} s")
        database.is_lost = True
        asyncio.get_running_loop().call_later(seconds, setattr, database, "is_lost", False)

    def _fill(self) -> None:
        """There is no space for a while: what is there can be read."""
        database = self._world.database
        if not database.is_full:
            database.is_full = True
            seconds = self._rng.choice(FULL_S)
            asyncio.get_running_loop().call_later(seconds, setattr, database, "is_full", False)

    def _cut_off(self) -> None:
        if self._world.is_alone:
            return  # it is a file
        process = self._world.any_worker().process
        process.is_cut_off = True
        asyncio.get_running_loop().call_later(
            self._rng.choice(CUT_OFF_S), setattr, process, "is_cut_off", False
        )

    def _wake(self) -> None:
        life = self._any_life()
        life.database.do(partial(waking.wake, due=life.due, now=life.wall()))
        life.ring()

    def _jump(self) -> None:
        """A machine's clock is set wrong, or right again."""
        self._world.clocks_differ = True
        self._world.any_worker().process.skew_s = self._rng.choice([0.0, 2.0, -2.0])

    def _cancel(self) -> None:
        if self._rng.random() < 0.4:
            self._any_life().people.cancel()

    def _decide(self) -> None:
        self._any_life().people.decide()

    def _find_out(self) -> None:
        self._any_life().people.find_out()

    def _stop(self) -> None:
        self._any_life().people.stop()

    def _hear(self) -> None:
        self._any_life().people.hear()

    def calm_down(self) -> None:
        """From now on everything works."""
        self.is_over = True
        self._world.database.is_lost = False
        self._world.database.is_full = False
        for life in self._world.lives:
            life.people.lift()
        for worker in self._world.workers:
            worker.process.go_on()
            worker.process.is_cut_off = False
            worker.process.skew_s = 0.0
