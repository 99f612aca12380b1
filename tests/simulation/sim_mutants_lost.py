"""Faults that show where a server has lost what it had kept, or does not answer a commit."""

from sim_mutant import Mutant

LOST = (
    Mutant(
        "executor.store.journal",
        "if seen.at is not None and lost(c, [(claim, seen)]):",
        "if False:",
        "who knows more than the journal goes on with it",
    ),
    Mutant(
        "executor.run.quarantine",
        "found = known.beside(found) if known else found",
        "pass",
        "who knows more than the journal tells what stands there",
    ),
    Mutant(
        "executor.run.quarantine",
        "    recovery.free_of_earlier(c, claim, now)\n",
        "",
        "a run whose claim was lost is left to who had it before",
    ),
    Mutant(
        "executor.run.machine",
        "if not (drive.has_claim and await self._is_lost(claim)):",
        "if True:",
        "a claim that was lost is taken for one that another took over",
    ),
    Mutant(
        "executor.run.outbox",
        "not isinstance(error, StoreError) or isinstance(error, WokenError)",
        "not isinstance(error, WokenError)",
        "what may have been kept is written again",
    ),
    Mutant(
        "executor.run.machine",
        "before = self._memories.of(claim.id)",
        "before = None",
        "who drives a run once more has forgotten what it had seen",
    ),
    Mutant(
        "executor.run.drive",
        "return self._before and self._before.effects",
        "return None",
        "who remembers that there was more does not tell what",
    ),
)
