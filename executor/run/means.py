"""What all drives of one process have in common: store, calls, policy, keys, clocks, plans."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import inf

from connectors.connector import Call
from connectors.spec import ActionSpec, Limits
from connectors.validate import input_validator
from executor.check.admit import Accepted, SealBrokenError, restore
from executor.check.budgets import RESULT_BYTES
from executor.check.cedar import Policy
from executor.run.slots import Slots
from executor.store.drives import Due
from executor.store.store import Store
from executor.store.text import to_object

MOST_RESTORED = 64  # accepted plans that are kept, by the text that was sealed


@dataclass(frozen=True)
class Means:
    """What all drives of one process have in common."""

    store: Store
    call: Call
    policy_of: Callable[[str], Policy]
    seal_key: bytes
    key_secret: bytes
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    limits_of: Callable[[ActionSpec], Limits | None] = lambda action: action.limits
    lease_ends: Callable[[], float] = lambda: inf  # a reading of `monotonic`
    result_bytes: int = RESULT_BYTES
    on_change: Callable[[Due], None] = lambda _: None
    known: dict[tuple[str, str], Accepted] = field(default_factory=dict)  # by tenant and plan
    slots: Slots = field(default_factory=Slots)
    is_alone: bool = True  # no other process can still be at a run that this one takes over
    halted: asyncio.Event = field(default_factory=asyncio.Event)

    def restored(self, tenant: str, text: str) -> Accepted:
        """A tenant's accepted plan from the text that was sealed; raises `SealBrokenError`."""
        accepted = self._restored(text)
        if accepted.principal.tenant != tenant:
            raise SealBrokenError("the stored plan was accepted for another tenant")
        return accepted

    @cached_property
    def _restored(self) -> Callable[[str], Accepted]:
        """The same text is checked once."""
        return lru_cache(MOST_RESTORED)(lambda text: restore(to_object(text), self.seal_key))

    def know(self, tenant: str, plan: str, accepted: Accepted) -> None:
        """Keep a plan as it was accepted and stored, ready to be run."""
        self.known[tenant, plan] = accepted
        if len(self.known) > MOST_RESTORED:
            del self.known[next(iter(self.known))]
        for action in accepted.actions.values():
            input_validator(action)
