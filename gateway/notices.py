"""Tells those who watch a request or run that its journal has grown."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from executor.store.drives import Due


class Notices:
    """In-process bells, one for each watcher; missing one only means to look a little later."""

    def __init__(self) -> None:
        self._watching: dict[str, set[asyncio.Event]] = defaultdict(set)

    def tell(self, due: Due) -> None:
        """Ring for everybody who watches this."""
        for bell in self._watching.get(due.id, ()):
            bell.set()

    @contextmanager
    def watch(self, subject: str) -> Iterator[asyncio.Event]:
        """A bell for as long as somebody watches."""
        bell = asyncio.Event()
        self._watching[subject].add(bell)
        try:
            yield bell
        finally:
            self._watching[subject].discard(bell)
            if not self._watching[subject]:
                del self._watching[subject]
