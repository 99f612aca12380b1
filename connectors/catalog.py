"""A frozen snapshot of the actions on offer."""

import difflib
from collections.abc import Iterable, Iterator

from connectors.spec import ActionSpec


class Catalog:
    """Actions by name; two of one name are refused."""

    def __init__(self, actions: Iterable[ActionSpec]) -> None:
        self._by_name: dict[str, ActionSpec] = {}
        for action in actions:
            if action.name in self._by_name:
                raise ValueError(f"two actions are called {action.name}")
            self._by_name[action.name] = action

    def get(self, name: str) -> ActionSpec | None:
        """The action of exactly this name."""
        return self._by_name.get(name)

    def candidates(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """Names that look like this one, best first: for messages, never for use."""
        return tuple(difflib.get_close_matches(name, self._by_name, n=limit, cutoff=0.4))

    def __iter__(self) -> Iterator[ActionSpec]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)
