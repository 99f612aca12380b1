"""Faults in what runs and versions share: only worlds of several of them come by these."""

from sim_mutant import Mutant

SHARED = (
    Mutant(
        "executor.run.keys",
        '"\\x1f".join((tenant, run, step,',
        '"\\x1f".join((tenant, step,',
        "two runs call under one key",
    ),
    Mutant(
        "executor.store.open_journal",
        "return claim.kind, claim.tenant, claim.id, claim.epoch, foreseen_by",
        'return claim.kind, claim.tenant, "", claim.epoch, foreseen_by',
        "what two runs write at once goes to the journal of one",
    ),
    Mutant(
        "executor.store.open_journal",
        "return [found[_drive(turn)] for turn in turns]",
        "return [found[_drive(turns[0])] for turn in turns]",
        "who wrote beside another is told what the other one has to know",
    ),
    Mutant(
        "executor.store.open_journal",
        "    permits = _permits(c, [turn for turns in drives for turn in turns])\n",
        "    class _Each(dict[str, Permits]):\n"
        "        def __getitem__(self, tenant: str) -> Permits:\n"
        "            return Permits(c, tenant)\n"
        "    permits = _Each()\n",
        "two runs that write at once take the same permit",
    ),
    Mutant(
        "executor.turns",
        "self._tenants[tenant].add(item, rank, lane, self._count)",
        "self._tenants[tenant].add(item, 0, lane, self._count)",
        "priorities say nothing of whose turn it is",
    ),
    Mutant(
        "executor.turns",
        "                    self._round.append(tenant)\n                else:",
        "                    self._round.appendleft(tenant)\n                else:",
        "a tenant that has much to do goes on and on",
    ),
    Mutant(
        "executor.store.ready",
        "key=lambda one: (one[1].priority, one[1].updated_at)",
        "key=lambda one: one[1].updated_at",
        "what is due is found in the order in which it came",
    ),
    Mutant(
        "executor.dispatch.local",
        "return not (is_full and any(self._driven[tenant, each] for each in range(rank + 1)))",
        "return True",
        "more runs are driven at once than there are places",
    ),
    Mutant(
        "executor.dispatch.local",
        "each] for each in range(rank + 1)))",
        "each] for each in range(_UNRANKED + 1)))",
        "what is urgent waits for all that is less so and fills the places",
    ),
    Mutant(
        "executor.dispatch.local",
        "        await in_pieces(self._store, partial(hand_back, now=self._clock()))\n",
        "",
        "what a dead process drove stays with it",
    ),
    Mutant(
        "executor.run.slots",
        "places.waiting.add(tenant, turn, rank)",
        'places.waiting.add("", turn, rank)',
        "all tenants wait for a place in one line",
    ),
    Mutant(
        "executor.run.slots",
        "places.waiting.add(tenant, turn, rank)",
        "places.waiting.add(tenant, turn)",
        "priorities say nothing of whose place it is",
    ),
    Mutant(
        "executor.store.approvals",
        'approvals.c.run == bindparam("of_run"))\n    .where(approvals.c.step',
        "approvals.c.id.is_not(None))\n    .where(approvals.c.step",
        "who asks anew makes void what another run asks",
    ),
    Mutant(
        "executor.store.drive_statements",
        "crashes=case((waits, table.c.crashes), else_=0),",
        "crashes=0,",
        "who comes to wait is forgiven the processes that it has killed",
    ),
    Mutant(
        "executor.dispatch.local",
        "return self._suspected is None or due not in self._deaths",
        "return True",
        "what may kill is driven beside what else may",
    ),
    Mutant(
        "executor.dispatch.local",
        "return self._suspected is None or due not in self._deaths",
        "return due not in self._deaths or self._waiting <= {*self._deaths} - {self._suspected}",
        "what may kill waits for all that does not",
    ),
    Mutant(
        "executor.store.migrate",
        "    if found > journal:\n",
        "    if False:\n",
        "an older version begins after a newer one",
    ),
)
