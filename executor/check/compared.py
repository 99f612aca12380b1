"""What is asked about the types of one plan: the same once, and no more than one plan is worth."""

from executor.check.flow import Flow
from executor.check.types import Effort, flows
from executor.plan.types import MISSING, Found, Type, child

_Key = tuple[int, int]


class Compared:
    """The answers so far; each is kept beside its types, for ids mean something while they live."""

    def __init__(self) -> None:
        self._effort = Effort()
        self._flows: dict[tuple[_Key, _Key], tuple[Flow, Type, Type]] = {}
        self._below: dict[tuple[_Key, str], tuple[Found, Type]] = {}

    def flow(self, source: Type, target: Type) -> Flow:
        """Whether one type fits another."""
        key = _key(source), _key(target)
        if key not in self._flows:
            self._flows[key] = (flows(source, target, self._effort), source, target)
        return self._flows[key][0]

    def child(self, found: Type, token: str) -> Found:
        """What lies at one token of a type."""
        key = _key(found), token
        if key not in self._below:
            self._below[key] = (child(found, token), found)
        return self._below[key][0]

    def descend(self, found: Type, tokens: tuple[str, ...]) -> Found:
        """What lies at a path in a type."""
        here: Found = found
        for token in tokens:
            here = self.child(here, token) if isinstance(here, Type) else MISSING
        return here


def _key(found: Type) -> _Key:
    return id(found.node), id(found.root)
