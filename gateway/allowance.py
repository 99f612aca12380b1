"""How much one API key may ask: so often over time, and so much at once.

Looks (GET, HEAD) and everything else are counted apart, so that a flood of new requests leaves
whoever sends it the looks at what was accepted before. Over time it is a token bucket: full at
first, and filled evenly. At once counts what is under way until its answer has gone out, a stream
as long as it lasts. What takes long to think about, beside the loop that serves, is thought about
one after the other. It is counted in memory, by each process for itself, with one entry for each
key that has asked.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import ProblemError
from gateway.settings import Allowance, AskingKind

T = TypeVar("T")
WINDOW_S = 60
QUICK_BYTES = 16_384
LOOKS = ("GET", "HEAD")
STATE = "taken"  # where a request's share is kept while it is answered


@dataclass(frozen=True)
class Taken:
    """A request's share of what its key may ask, or why it has none.

    `fields` tell how the key stands (draft-ietf-httpapi-ratelimit-headers).
    """

    fields: tuple[tuple[bytes, bytes], ...]
    give_back: Callable[[], None]
    refusal: ProblemError | None = None


@dataclass
class _Asked:
    """What a key has asked of a kind."""

    left: float
    at: float
    under_way: int = 0


class Allowances:
    """What every key has asked so far."""

    def __init__(self, allowance: Allowance, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowance = allowance
        self._clock = clock
        self._asked: dict[tuple[str, AskingKind], _Asked] = {}
        self._turns: dict[tuple[str, AskingKind], asyncio.Lock] = {}

    def take(self, key: str, method: str) -> Taken:
        """Take a share for a request of a key; where there is none left, nothing is taken."""
        kind: AskingKind = "reads" if method in LOOKS else "writes"
        most, together = self._allowance.of(kind), self._allowance.concurrency
        asked = self._filled(key, kind, most)
        if together and asked.under_way >= together:
            return self._refused(kind, asked, f"{kind}-at-once", 1)
        if most and asked.left < 1:
            return self._refused(kind, asked, kind, _whole_s(most, asked.left))
        asked.left -= 1
        asked.under_way += 1
        return Taken(self._told(kind, asked), partial(_end, asked))

    def turn(self, key: str, kind: AskingKind) -> asyncio.Lock:
        """Held while something is thought about that takes long: of a key one after the other."""
        return self._turns.setdefault((key, kind), asyncio.Lock())

    async def think(self, key: str, size: int, work: Callable[[], T]) -> T:
        """Do something with what somebody sent: if it has many bytes, in turn beside the loop."""
        if size <= QUICK_BYTES:
            return work()
        async with self.turn(key, "writes"):
            return await asyncio.to_thread(work)

    def _filled(self, key: str, kind: AskingKind, most: int) -> _Asked:
        now = self._clock()
        asked = self._asked.setdefault((key, kind), _Asked(most, now))
        asked.left = min(most, asked.left + (now - asked.at) * most / WINDOW_S)
        asked.at = now
        return asked

    def _refused(self, kind: AskingKind, asked: _Asked, policy: str, wait_s: int) -> Taken:
        most = self._allowance.of(kind)
        detail = f"this key may ask {most} {kind} in {WINDOW_S} s"
        if policy != kind:
            detail = f"this key may have {self._allowance.concurrency} {kind} under way at once"
        problem = ProblemError(
            429, "quota-exceeded", detail, f"Ask again after {wait_s} s; nothing was done.",
            {"violated-policies": [policy]}, {"retry-after": str(wait_s)},
        )  # fmt: skip
        return Taken(self._told(kind, asked), _nothing, problem)

    def _told(self, kind: AskingKind, asked: _Asked) -> tuple[tuple[bytes, bytes], ...]:
        policies, limits = [], []
        if most := self._allowance.of(kind):
            policies.append(f'"{kind}";q={most};w={WINDOW_S}')
            limits.append(f'"{kind}";r={int(asked.left)};t={_whole_s(most, asked.left % 1)}')
        if together := self._allowance.concurrency:
            policies.append(f'"{kind}-at-once";q={together};qu="concurrent-requests"')
            limits.append(f'"{kind}-at-once";r={together - asked.under_way}')
        told = ((b"ratelimit-policy", policies), (b"ratelimit", limits))
        return tuple((name, ", ".join(items).encode()) for name, items in told if items)


class InAllowance:
    """Tells with each answer how its key stands, and gives back what it took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; who asks is found out further in (`auth.principal_of`)."""
        state: dict[str, object] = scope.setdefault("state", {})

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [field for taken in _taken(state) for field in taken.fields]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            for taken in _taken(state):
                taken.give_back()


def _taken(state: dict[str, object]) -> Iterator[Taken]:
    if isinstance(found := state.get(STATE), Taken):
        yield found


def _whole_s(most: int, left: float) -> int:
    """Whole seconds until there is one more than `left`, which is less than one."""
    return max(1, math.ceil((1 - left) * WINDOW_S / most))


def _end(asked: _Asked) -> None:
    asked.under_way -= 1


def _nothing() -> None:
    """What was not taken is not given back."""
