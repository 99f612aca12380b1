"""What can go wrong with the store.

StoreError
├── StorePausedError         for now it takes nothing: ask again later, it resumes by itself
│   ├── StoreFullError       no space: this write did not happen, later ones may
│   └── StoreUnavailableError  no answer in time, or none at all: a write may have happened
├── StoreDamagedError        the file is no database, or cannot be read any more
├── StoreLockedError         another process has the file
├── NewerSchemaError         the database was written by a newer version: nothing is touched
├── OtherSchemaError         the database is of a version that this one cannot go on from: the same
├── MovedError               what the file holds goes on on a server: nothing is touched
├── NotEmptyError            a server's database holds something, and nothing is moved into it
├── WokenError               a run was to end that something woke: nothing was kept, decide again
├── FencedError              another drive has taken the run over: stop, without a trace
├── JournalLostError         the database has lost what it had kept: put the run aside
└── StoreClosedError         the store is shutting down
"""


class StoreError(Exception):
    """The store cannot do what was asked; says what and what to do about it."""


class StorePausedError(StoreError):
    """The store takes nothing now; what is fenced or done once may be tried again."""


class StoreFullError(StorePausedError):
    """There is no space left; nothing of this write was kept."""


class StoreUnavailableError(StorePausedError):
    """The database does not answer, or is too busy; whether a write was kept is not known.

    `said` is the server's own words where there is no session: for whoever owns the machine.
    """

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class NoDatabaseError(StoreError):
    """There is no file where the database is said to be."""


class StoreDamagedError(StoreError):
    """The file is no database, or what it holds cannot be read any more."""


class StoreLockedError(StoreError):
    """Another process has this database; `is_passing` if it will let go of it by itself."""

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class NewerSchemaError(StoreError):
    """The database has a schema or a journal that this version does not know."""


class OtherSchemaError(StoreError):
    """The database has tables, or an older journal, from which this version knows no way."""


class MovedError(StoreError):
    """What this file holds was moved to a server, or is being moved: it goes on there."""


class NotEmptyError(StoreError):
    """The database that something is to be moved to holds something already."""


class WokenError(StoreError):
    """What was written with the end of a run has woken it; nothing of that was kept."""


class FencedError(StoreError):
    """The caller's epoch is over: another drive owns the run."""


class JournalLostError(StoreError):
    """The database knows less of a run than it had told: a server's standby took over, say."""


class StoreClosedError(StoreError):
    """The store is closed."""
