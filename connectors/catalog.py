"""A frozen snapshot of the actions on offer."""

import difflib
import gc
import heapq
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from connectors.spec import ActionSpec

LONGEST_NAME = 80  # so much of a name is looked at
NEAR = 300  # names that are looked at closely


@contextmanager
def loading() -> Iterator[None]:
    """While a catalogue is read nobody looks for garbage.

    Nothing of it is any, and with ten thousand actions looking takes longer than reading them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Catalog:
    """Actions by name; two of one name are refused."""

    def __init__(self, actions: Iterable[ActionSpec]) -> None:
        self._by_name: dict[str, ActionSpec] = {}
        for action in actions:
            if action.name in self._by_name:
                raise ValueError(f"two actions are called {action.name}")
            self._by_name[action.name] = action

    @classmethod
    def restore(cls, text: bytes) -> "Catalog":
        """Read what `stored` wrote; raises `ValueError` for anything else."""
        with loading():
            # One by one, so that the text is never held as values besides the actions.
            return cls(ActionSpec.model_validate_json(line) for line in io.BytesIO(text))

    def stored(self) -> bytes:
        """One action a line as JSON, to be kept for a quicker start."""
        lines = (each.model_dump_json(by_alias=True) for each in self)
        return "".join(f"{line}\n" for line in lines).encode()

    def get(self, name: str) -> ActionSpec | None:
        """The action of exactly this name."""
        return self._by_name.get(name)

    def candidates(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """Names that look like this one, best first: for messages, never for use."""
        # A close look at each of many names takes seconds: first those that share most pairs.
        name = name[:LONGEST_NAME]
        wanted = frozenset(pairwise(name))
        near = heapq.nlargest(NEAR, self._by_name, key=lambda each: len(wanted & {*pairwise(each)}))
        return tuple(difflib.get_close_matches(name, near, n=limit, cutoff=0.4))

    def __iter__(self) -> Iterator[ActionSpec]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)
