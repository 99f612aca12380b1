"""No secret is written: the last look at every text on its way to the database."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

_BETWEEN = "\x1f"
_HIDE = "hide"  # in `Connection.info`


def hide_in_writes(engine: Engine, hide: Callable[[str], str]) -> None:
    """Have every text of every statement go through `hide`, which gives it back if it is clean."""

    @event.listens_for(engine, "connect")
    def _connect(raw: object, entry: ConnectionPoolEntry) -> None:
        entry.info[_HIDE] = hide  # for the statements that `statement.py` sends

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _before(
        connection: Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: object,
        executemany: bool,
    ) -> tuple[str, object]:
        return statement, _clean(parameters, hide)


def cleaned(connection: Connection, values: Mapping[str, object]) -> Mapping[str, object]:
    """The values of one statement, as they may be written on this connection."""
    hide: Callable[[str], str] | None = connection.info.get(_HIDE)
    if hide is None or not _has_secret([*values.values()], hide):
        return values
    return {name: _clean(each, hide) for name, each in values.items()}


def all_cleaned(
    connection: Connection, rows: Sequence[Mapping[str, object]]
) -> Sequence[Mapping[str, object]]:
    """The same of many rows."""
    is_clean = connection.info.get(_HIDE) is None
    return rows if is_clean else [cleaned(connection, row) for row in rows]


def _clean(parameters: object, hide: Callable[[str], str]) -> object:
    """The parameters of one statement, or of many at once, as the driver takes them."""
    match parameters:
        case str():
            return hide(parameters)
        case dict() if _has_secret(list(parameters.values()), hide):
            return {name: _clean(each, hide) for name, each in parameters.items()}
        case tuple() if _has_secret(parameters, hide):
            return tuple(_clean(each, hide) for each in parameters)
        case list():
            return [_clean(each, hide) for each in parameters]
        case _:
            return parameters


def _has_secret(values: tuple[object, ...] | list[object], hide: Callable[[str], str]) -> bool:
    """Whether any text has; one look at all of them together is what it usually takes."""
    together = _BETWEEN.join(each for each in values if isinstance(each, str))
    return hide(together) != together
