"""Runs accepted plans, each by one drive at a time; built once, by whoever knows the connectors."""

from dataclasses import dataclass, field
from functools import partial

from executor.dispatch.base import CrashLoopError
from executor.run.bell import Bell
from executor.run.drive import Drive
from executor.run.means import Means
from executor.run.memory import Memories
from executor.run.perform import until_taken
from executor.run.quarantine import BROKEN, KILLED, put_aside_lost, quarantine
from executor.store import drives, journal
from executor.store.drives import Asked, Claim, Due
from executor.store.errors import FencedError, JournalLostError
from executor.store.writer import Joint, Stage

LOOKED_AT = 500  # runs, in one look back


@dataclass(frozen=True)
class Machine(Means):
    """Drives runs, tells drives what arrives, and puts aside what breaks them."""

    _bells: dict[str, Bell] = field(default_factory=dict)
    _memories: Memories = field(default_factory=Memories)

    async def drive(self, due: Due, driver: str) -> None:
        """Drive one run; returns without a word if somebody else does.

        One that was just queued is claimed with the first that is written about it.
        """
        asked = Asked(due, driver, self.clock())
        claim = drives.foreseen(due, driver) if (due.tenant, due.plan) in self.known else None
        if claim is not None and await self._drive(claim, asked, is_foreseen=True):
            return
        claim = await self.store.write(Joint(drives.claims, asked, Stage.CLAIMS))
        if claim is not None:
            await self._drive(claim, asked)

    async def _drive(self, claim: Claim, asked: Asked, *, is_foreseen: bool = False) -> bool:
        """Drive until there is nothing to do; False if the claim is over, or never was one."""
        bell = self._bells[claim.id] = Bell()
        before = self._memories.of(claim.id)
        drive = Drive(self, claim, bell, before, asked if is_foreseen else None)
        try:
            await drive.run()
        except FencedError:
            if not (drive.has_claim and await self._is_lost(claim)):
                return False  # whoever took over goes on from the journal
            await self._put_aside_lost(drive, claim)
        except JournalLostError:
            await self._put_aside_lost(drive, claim)
        finally:
            drive.close()
            if self._bells.get(claim.id) is bell:  # else a later drive has its own
                del self._bells[claim.id]
            self._memories.keep(drive.memory())
        return True

    async def _is_lost(self, claim: Claim) -> bool:
        found = list[bool]()

        async def look() -> None:
            found.append(await self.store.read(partial(drives.is_lost, claim=claim)))

        await until_taken(look)
        return found[0]

    async def _put_aside_lost(self, drive: Drive, claim: Claim) -> None:
        """Tell what this drive knows; nobody else does, so it is told once that can be written."""
        now, known = self.clock(), drive.effects()
        await until_taken(partial(put_aside_lost, self.store, claim, now, known))
        self.on_change(Due(claim.kind, claim.tenant, claim.id))

    async def put_aside(self, due: Due, driver: str, error: Exception) -> None:
        """Give up a run that breaks its drive or kills its process, whatever the mistake is."""
        code = KILLED if isinstance(error, CrashLoopError) else BROKEN
        await quarantine(self.store, due, driver, self.clock(), code)
        self.on_change(due)

    async def look_back(self) -> None:
        """Put aside every run that was driven here of which the database has lost something.

        What is being driven its drive finds out, which knows more. Raises `StoreError`.
        """
        memories = self._memories.all()
        for first in range(0, len(memories), LOOKED_AT):
            some = memories[first : first + LOOKED_AT]
            ask = partial(journal.lost, seen=[(each.claim, each.seen) for each in some])
            lost = {*await self.store.read(ask)}
            for each in some:
                if each.claim in lost and each.claim.id not in self._bells:
                    now, known = self.clock(), each.effects
                    await put_aside_lost(self.store, each.claim, now, known, each.seen)
                    self.on_change(Due(each.claim.kind, each.claim.tenant, each.claim.id))

    def halt(self) -> None:
        """Begin no call any more; a drive lets go of its run once those under way have ended."""
        self.halted.set()
        self.ring_all()

    def ring_all(self) -> None:
        """Tell every drive that something may have arrived."""
        for bell in self._bells.values():
            bell.ring()

    def ring(self, run: str) -> None:
        """Tell a drive that something arrived."""
        if bell := self._bells.get(run):
            bell.ring()
