"""Tells those who watch a request or run that its journal has grown."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from executor.store.drives import Due


class Notices:
    """Bells, one for each watcher here; missing one only means to look a little later.

    `elsewhere` tells those who watch in other processes.
    """

    def __init__(self) -> None:
        self._watching: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.elsewhere: Callable[[Due], None] = lambda _: None
        self.is_over = False  # whoever watches is to go, and may come back to another process

    def tell(self, due: Due) -> None:
        """Ring for everybody who watches this."""
        self.hear(due)
        self.elsewhere(due)

    def hear(self, due: Due | None) -> None:
        """Ring for those who watch here: this, or everything."""
        watched = self._watching if due is None else (due.id,)
        for each in watched:
            for bell in self._watching.get(each, ()):
                bell.set()

    def end(self) -> None:
        """Let everybody go who watches: this process stops answering."""
        self.is_over = True
        self.hear(None)

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
