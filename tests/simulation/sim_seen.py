"""What services saw: who called whom, each call that arrived, and each question about one."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from connectors.spec import ActionSpec, CallContext
from executor.run.state import Place


class Where(NamedTuple):
    """Who calls whom."""

    process: str
    connection: str
    run: str


class Polled(NamedTuple):
    """One question what became of a call, by its handle or by a search."""

    at: float
    place: Place
    n: int
    went_on_at: float  # after its process had stood still
    drive: tuple[str, int, int]  # its process, which of the drives, and under which claim


class Seen(NamedTuple):
    """One call that arrived, and what it was."""

    at: float
    context: CallContext
    action: ActionSpec
    arguments: Mapping[str, JsonValue]
    process: str

    @property
    def place(self) -> Place:
        """Whose call it was."""
        return self.context.step, self.context.iteration
