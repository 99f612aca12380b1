"""Statements of every step: SQLAlchemy builds each of them once, and the driver itself sends it.

From a statement to its row by SQLAlchemy takes ten times what the database takes for it. What is
sent several times for each call of each run goes the short way, and means the same on it: secrets
are hidden, errors are `DBAPIError`, and the transaction is the connection's, which has begun.

Values of our tables are texts, integers and doubles, which drivers take and give as they are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    insert,
    or_,
    select,
    tuple_,
)
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from executor.store.hiding import all_cleaned, cleaned

T = TypeVar("T")
Values = Mapping[str, object]
NOTHING: Values = {}
Columns = Mapping[str, type]
_TYPES: Mapping[type, Text | Integer | Double[float]] = {
    str: Text(),
    int: Integer(),
    float: Double(),
}
Value = ColumnElement[object]
Built = ClauseElement | Callable[[str], ClauseElement]
"""A statement whose open values have names, or what builds it for the name of a dialect."""
_ALONE = "sqlite, one row"  # in the place of a dialect's name


def one_of(column: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
    """The column holds one of these words; an `IN` would be spelt anew each time it is sent."""
    return or_(*(column == word for word in words))


def rows_named(table: Table, names: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """The rows of these tenants and ids; for pairs alone SQLite would look through all of them."""
    pair = tuple_(table.c.tenant, table.c.id)
    return and_(
        table.c.tenant.in_({tenant for tenant, _ in names}),
        table.c.id.in_({name for _, name in names}),
        pair.in_(names),
    )


def newest_first(
    query: Select[tuple[object, ...]], table: Table, tenant: str, *, before: str | None, limit: int
) -> Select[tuple[object, ...]]:
    """The newest rows of a tenant that a query finds; with `before`, those older than that one."""
    query = query.where(table.c.tenant == tenant)
    age = tuple_(table.c.created_at, table.c.id)
    if before is not None:
        query = query.where(age < select(table.c.created_at, table.c.id)
                            .where(table.c.tenant == tenant, table.c.id == before)
                            .scalar_subquery())  # fmt: skip
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)


def oldest_first(
    query: Select[tuple[object, ...]],
    table: Table,
    tenant: str,
    *,
    after: str | None,
    limit: int | None,
) -> Select[tuple[object, ...]]:
    """The oldest rows of a tenant that a query finds; with `after`, those younger than that one."""
    query = query.where(table.c.tenant == tenant)
    age = tuple_(table.c.created_at, table.c.id)
    if after is not None:
        query = query.where(age > select(table.c.created_at, table.c.id)
                            .where(table.c.tenant == tenant, table.c.id == after)
                            .scalar_subquery())  # fmt: skip
    return query.order_by(table.c.created_at, table.c.id).limit(limit)


def given(dialect: str, columns: Columns) -> Mapping[str, Value]:
    """The columns of the rows that a statement is about.

    They come as one text of JSON, so that the statement is the same for any number of them. SQLite
    reads a double from a text less exactly than we write it: ask it about texts and whole numbers.
    One row alone, which is what most drives have, takes it half the time without that text.
    """
    if dialect == _ALONE:
        return {name: bindparam(_of(name), type_=_TYPES[of]) for name, of in columns.items()}
    rows = _rows(dialect, columns)
    return {name: rows.c[name] for name in columns}


def _of(name: str) -> str:
    """An update would take the names of columns for what it is to set."""
    return f"given_{name}"


def _rows(dialect: str, columns: Columns) -> FromClause:
    rows = bindparam("rows", type_=Text)
    if dialect == "postgresql":
        typed = (column(name, _TYPES[type_]) for name, type_ in columns.items())
        found = func.json_to_recordset(cast(rows, JSON)).table_valued(*typed)
        return found.render_derived(name="given", with_types=True)
    each = func.json_each(rows).table_valued("value")
    values = (
        func.json_extract(each.c.value, f"$.{name}", type_=_TYPES[type_]).label(name)
        for name, type_ in columns.items()
    )
    return select(*values).select_from(each).subquery("given")


@dataclass(frozen=True)
class _Prepared:
    """The text of a statement, the values that stand in it, and their order where it has one."""

    text: str
    constants: Values
    order: tuple[str, ...] | None

    def named(self, c: Connection, values: Values) -> Values:
        """All that the statement needs, by name."""
        return self.whole(cleaned(c, values))

    def whole(self, values: Values) -> Values:
        """The same of values that are clean."""
        return {**self.constants, **values} if self.constants else values

    def given(self, c: Connection, values: Values) -> Values | tuple[object, ...]:
        """The same as the driver takes it."""
        named = self.named(c, values)
        return named if self.order is None else tuple([named[name] for name in self.order])


class _Statement:
    def __init__(self, built: Built) -> None:
        self._built = built
        self._prepared: dict[str, _Prepared] = {}

    def _sent(self, c: Connection, values: Values) -> DBAPICursor:
        prepared = self._for(c)
        cursor = _cursor(c)
        try:
            cursor.execute(prepared.text, prepared.given(c, values))
        except Exception as error:
            raise _as_theirs(c, prepared.text, error) from error
        return cursor

    def _for(self, c: Connection) -> _Prepared:
        dialect = c.dialect.name
        found = self._prepared.get(dialect)
        if found is None:
            found = self._prepared[dialect] = self._prepare(c)
        return found

    def _prepare(self, c: Connection) -> _Prepared:
        built = (
            self._built if isinstance(self._built, ClauseElement) else self._built(c.dialect.name)
        )
        compiled = built.compile(dialect=c.dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - of a statement, not of a table
        constants = {name: each.value for name, each in compiled.binds.items() if not each.required}
        order = compiled.positiontup
        return _Prepared(compiled.string, constants, None if order is None else tuple(order))


class Query(_Statement, Generic[T]):
    """A statement that gives rows; `read` makes one of a row's columns."""

    def __init__(self, built: Built, read: Callable[..., T]) -> None:
        super().__init__(built)
        self._read = read
        self._alone = self if isinstance(built, ClauseElement) else Query(built(_ALONE), read)

    def one(self, c: Connection, values: Values) -> T | None:
        """The first row, or None if there is none."""
        row = self._sent(c, values).fetchone()
        return None if row is None else self._read(*row)

    def all(self, c: Connection, values: Values) -> list[T]:
        """Every row."""
        return [self._read(*row) for row in self._sent(c, values).fetchall()]

    def of(self, c: Connection, rows: Sequence[Values], values: Values = NOTHING) -> list[T]:
        """Every row about these, of a statement over `given` rows."""
        if len(rows) == 1 and c.dialect.name == "sqlite":
            return self._alone.all(c, {**values, **{_of(n): each for n, each in rows[0].items()}})
        return self.all(c, {**values, "rows": to_json(rows).decode()}) if rows else []


class Change(_Statement):
    """A statement that gives no rows; `together` is one that does the same for all `given` rows.

    A server is sent that instead of many; SQLite is told of each, for it costs less there.
    """

    def __init__(
        self, built: Built, together: Callable[[str], ClauseElement] | None = None
    ) -> None:
        super().__init__(built)
        self._together = None if together is None else Change(together)

    def once(self, c: Connection, values: Values) -> int:
        """Make it; returns how many rows it was about."""
        return self._sent(c, values).rowcount

    def many(self, c: Connection, rows: Sequence[Values]) -> int:
        """Make it for each of these; returns how many rows it was about in all."""
        if not rows:
            return 0
        if self._together is not None and len(rows) > 1 and c.dialect.name != "sqlite":
            return self._together.once(c, {"rows": to_json(all_cleaned(c, rows)).decode()})
        prepared = self._for(c)
        named = [prepared.whole(row) for row in all_cleaned(c, rows)]
        cursor = _cursor(c)
        try:
            if (order := prepared.order) is None:
                cursor.executemany(prepared.text, named)
            else:
                cursor.executemany(prepared.text, [[row[name] for name in order] for row in named])
        except Exception as error:
            raise _as_theirs(c, prepared.text, error) from error
        return cursor.rowcount


def addition(table: Table) -> Change:
    """New rows of a table, with a value for every column."""
    columns = {each.name: each.type.python_type for each in table.columns}

    def together(dialect: str) -> ClauseElement:
        rows = given(dialect, columns)
        return insert(table).from_select([*columns], select(*rows.values()))

    return Change(insert(table), together)


def alteration(columns: Columns, built: Callable[[Mapping[str, Value]], ClauseElement]) -> Change:
    """What is built of a row's values by name, for one row or any number of different ones."""

    def together(dialect: str) -> ClauseElement:
        return built(given(dialect, columns))

    one = {name: bindparam(name, type_=_TYPES[type_]) for name, type_ in columns.items()}
    return Change(built(one), together)


def _cursor(c: Connection) -> DBAPICursor:
    raw = c.connection.dbapi_connection
    assert raw is not None  # noqa: S101 - a connection that is lost raises before
    return raw.cursor()


def _as_theirs(c: Connection, text: str, error: Exception) -> Exception:
    """The error as SQLAlchemy would have raised it; one of no driver stays as it is."""
    driver = c.dialect.loaded_dbapi.Error
    if not isinstance(error, driver):
        return error
    raw = c.connection.dbapi_connection
    is_lost = c.dialect.is_disconnect(error, raw, None)
    if is_lost:
        c.invalidate(error)
    return DBAPIError.instance(
        text, None, error, driver, hide_parameters=True,
        connection_invalidated=is_lost, dialect=c.dialect,
    )  # fmt: skip
