"""What can go wrong with the store.

StoreError
├── StoreLockedError     another process has the file
├── StoreFullError       no space: this write did not happen, later ones may
├── NewerSchemaError     the file was written by a newer version: nothing is touched
├── FencedError          another drive has taken the run over: stop, without a trace
└── StoreClosedError     the store is shutting down
"""


class StoreError(Exception):
    """The store cannot do what was asked; says what and what to do about it."""


class StoreLockedError(StoreError):
    """Another process has this database."""


class StoreFullError(StoreError):
    """There is no space left; nothing of this write was kept."""


class NewerSchemaError(StoreError):
    """The database has a schema that this version does not know."""


class FencedError(StoreError):
    """The caller's epoch is over: another drive owns the run."""


class StoreClosedError(StoreError):
    """The store is closed."""
