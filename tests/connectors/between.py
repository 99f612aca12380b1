"""Stands between a connector and a real server, and loses the answers that a test wants lost."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from real_servers import Real

from connectors.testing import Asked, Fault, Said, Service

_KEPT = ("content-type", "date", "etag", "location", "retry-after")


@dataclass
class Between:
    """Passes each request on; of those in `lost`, counted from 1, nobody hears the answer."""

    real: Real
    own: Mapping[str, str] = field(default_factory=dict)  # headers that the server wants its own in
    lost: Collection[int] = ()
    count: int = 0

    def __post_init__(self) -> None:
        """Stand there, not yet listening."""
        self.service = Service(self.handle)

    def lose(self, *which: int) -> None:
        """Lose the answers to these requests, counted from now."""
        self.count, self.lost = 0, which
        self.service.fault = self._next()

    def handle(self, asked: Asked) -> Said:
        """Pass one request on."""
        self.count += 1
        self.service.fault = self._next()
        headers = {**asked.headers, **self.own}
        for name in ("host", "content-length", "accept-encoding"):
            headers.pop(name, None)
        more = {} if asked.body is None else _body(asked)
        answer = self.real.ask(
            asked.method, asked.path, params=asked.pairs, headers=headers, **more
        )
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        return Said(answer.status_code, answer.content, kept)

    def _next(self) -> Fault | None:
        return Fault(acts=True, ending="cut") if self.count + 1 in self.lost else None


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
