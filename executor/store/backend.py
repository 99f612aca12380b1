"""What the store asks of a kind of database; everything else is the same on all of them."""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from executor.store.clock import Moment
from executor.store.errors import StoreError


class Backend(Protocol):
    """One database: how it is taken, opened and let go of, and what its errors mean to us."""

    is_shared: bool
    """Whether other processes may use it at the same time."""

    answers_within_s: float | None
    """How long a read may take before whoever asked is told that there is no answer."""

    def take(self) -> None:
        """Make it ready to be opened; raises `StoreError`."""

    def engine(self, *, writer: bool) -> Engine:
        """Connections for the writer, or for readers, which cannot write."""

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Keep others from changing the schema meanwhile."""

    def error(self, error: DBAPIError) -> StoreError:
        """What the database said, for the person who must act; its own words are the cause."""

    def has_undone(self, connection: Connection, error: Exception) -> bool:
        """Whether the whole transaction is lost with this error, not this write alone."""

    def is_gone(self, error: BaseException) -> bool:
        """Whether there is no connection any more, or none could be had."""

    def may_repeat(self, error: BaseException) -> bool:
        """Whether nothing was kept, and a write may succeed if it is made again by itself."""

    def has_collided(self, error: BaseException) -> bool:
        """Whether another process was first, so that the write has to look again."""

    def break_off(self, connection: Connection) -> None:
        """Have whoever waits for an answer on it, in another thread, learn that none will come."""

    def now(self, connection: Connection) -> Moment:
        """What time it is for everybody who uses this database."""

    def up_since(self, connection: Connection) -> float:
        """When the server was started that answers, by its clock; a file is always the same."""

    def publish_address(self, address: str, *, is_passing: bool = False) -> None:
        """Let the command line find the gateway that holds this database, where one does."""

    def release(self) -> None:
        """Let others have it."""
