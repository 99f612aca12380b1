"""Stands between a connector and a real server, and loses the answers that a test wants lost."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from real_servers import Real

from connectors.testing import Asked, Fault, Said, Service
from connectors.testing.steps import LOST

_KEPT = ("content-type", "date", "etag", "location", "retry-after")


@dataclass
class Between:
    """Passes each request on; the service in front may lose what is told."""

    real: Real
    own: Mapping[str, str] = field(default_factory=dict)  # headers that the server wants its own in

    def __post_init__(self) -> None:
        """Stand there, not yet listening."""
        self.service = Service(self.handle)

    def lose(self, *which: int) -> None:
        """Lose the answers to these requests, counted from now."""
        self.service.spoil(lambda number: LOST if number in which else None)

    def lose_first(self, method: str, part: str) -> None:
        """Lose the answer to the first request from now on that is like this."""
        left = [LOST]

        def fault(_: int) -> Fault | None:
            asked = self.service.asked[-1]
            return left.pop() if left and asked.method == method and part in asked.path else None

        self.service.spoil(fault)

    def handle(self, asked: Asked) -> Said:
        """Pass one request on."""
        headers = {**asked.headers, **self.own}
        for name in ("host", "content-length", "accept-encoding"):
            headers.pop(name, None)
        more = {} if asked.body is None else _body(asked)
        answer = self.real.ask(
            asked.method, asked.path, params=asked.pairs, headers=headers, **more
        )
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        return Said(answer.status_code, answer.content, kept)


@dataclass
class Changes:
    """Counts what a server does by what stands there: each version of a thing is one change."""

    seen: set[tuple[str, ...]] = field(default_factory=set)

    def count(self, now: Iterable[tuple[str, ...]]) -> int:
        """How many versions were ever seen."""
        self.seen.update(now)
        return len(self.seen)


def _body(asked: Asked) -> dict[str, object]:
    if isinstance(asked.body, str):
        return {"content": asked.body.encode("latin-1")}
    return {"json": asked.body}


@contextmanager
def between(real: Real, own: Mapping[str, str] | None = None) -> Iterator[Between]:
    """Stand there while a test runs."""
    found = Between(real, own or {})
    found.service.start()
    try:
        yield found
    finally:
        found.service.stop()
