"""Rehearses an accepted plan as it would run now: under this policy, with what was answered before.

It is thought, not done: it runs beside the loop that serves, in a thread, and is given neither
the registry nor the machine.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from pydantic import JsonValue

from executor.check.admit import Accepted
from executor.rehearse.answers import Recorded
from executor.rehearse.explore import Bounds
from executor.rehearse.rehearse import rehearse
from executor.rehearse.report import Rehearsal
from executor.rehearse.stage import Terms
from executor.store import recorded
from executor.store.recorded import RecordedAnswer
from gateway.wiring import Gateway, limits_of


async def rehearsal_of(
    gateway: Gateway, tenant: str, accepted: Accepted, bounds: Bounds, *, by_records: bool
) -> Rehearsal:
    """Rehearse a plan of a tenant."""
    known = Recorded()
    if by_records:
        digests = {each.name: each.digest for each in accepted.actions.values()}
        read = partial(recorded.answers, tenant=tenant, digests=digests)
        known = as_recorded(await gateway.store.read(read))
    limits = partial(limits_of, gateway.settings)
    terms = Terms(gateway.policy, limits, gateway.clock())
    return await asyncio.to_thread(rehearse, accepted, terms, known, bounds)


def as_recorded(found: Sequence[RecordedAnswer]) -> Recorded:
    """Answers by what was asked, the newest of each, and all durations."""
    answers: dict[tuple[str, str], JsonValue] = {}
    durations: dict[str, tuple[float, ...]] = {}
    for each in found:
        answers.setdefault((each.tool_digest, each.args_hash), each.output)
        durations[each.tool_digest] = (*durations.get(each.tool_digest, ()), each.took_s)
    return Recorded(answers, durations)


def roles_of(accepted: Accepted) -> frozenset[str]:
    """Whoever may have to say yes to some of it."""
    steps, envelopes = accepted.certificate.steps, accepted.certificate.envelopes
    needs = [need.role for step in steps for need in (step.approval, step.may_need) if need]
    return frozenset((*needs, *(each.role for each in envelopes)))
