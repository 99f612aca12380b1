"""A file of statements says what each is, and is refused where it does not hold together."""

import contextlib
import datetime as dt
import json
import re
import sqlite3
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError
from sql_world import FILE, fill

from connectors.body import json_flaw
from connectors.builtin.sql.factory import connect
from connectors.builtin.sql.postgres import tls_of
from connectors.builtin.sql.statements import Statement, Statements, load_statements
from connectors.builtin.sql.values import Argument, Type, Value, from_driver, to_driver
from connectors.catalog import Catalog
from connectors.connector import Applied
from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.manifest import check_manifests
from connectors.spec import JsonObject
from connectors.testing import call_context
from connectors.validate import first_flaw

READ: JsonObject = {
    "description": "Read.",
    "sql": "SELECT a FROM t WHERE b = :b",
    "effect": "read",
    "arguments": {"b": "text"},
    "columns": {"a": "integer"},
}


def file_with(**changes: JsonValue) -> JsonObject:
    """A file of one read, with other members."""
    return {"statements": {"it": {**READ, **changes}}}


@pytest.fixture
def statements(tmp_path: Path) -> Statements:
    (tmp_path / "file.yaml").write_text(FILE, encoding="utf-8")
    return load_statements(tmp_path / "file.yaml")


def test_a_look_up_in_vain_is_not_believed_while_a_commit_may_be_at_work(
    statements: Statements,
) -> None:
    note = next(each for each in statements.actions("stock") if each.name == "stock.move_note")
    said = statements.model_dump(mode="json")
    said["statements"]["move_note"]["settle_s"] = 5
    (other,) = (
        each
        for each in Statements.model_validate(said).actions("stock")
        if each.name == "stock.move_note"
    )

    assert (note.settle_s, other.settle_s) == (60, 5)


def test_each_statement_is_an_action_whose_manifest_holds(statements: Statements) -> None:
    actions = {each.name: each for each in statements.actions("stock")}
    check_manifests(Catalog(actions.values()))
    move = actions["stock.move_make"]

    assert move.idempotency is not None
    assert (move.idempotency.place, move.idempotency.window_s) == ("connector", 30 * 86400)
    assert move.undo is not None
    assert move.undo.action == "stock.move_drop"
    assert actions["stock.shelf_get"].sinks == {"sku": "resource_id"}
    assert actions["stock.shelf_take"].approval == "approver"
    assert actions["stock.shelf_find"].reads_as == "untrusted"


def test_another_statement_is_another_action_and_the_same_one_the_same() -> None:
    one = Statements.model_validate(file_with()).actions("x")[0]
    same = Statements.model_validate(file_with()).actions("x")[0]
    for change in ({"sql": "SELECT a FROM u WHERE b = :b"}, {"most_rows": 3}):
        other = Statements.model_validate(file_with(**change)).actions("x")[0]
        assert other.digest != one.digest == same.digest


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sql": "DELETE FROM t WHERE b = :b"}, "begins with one of SELECT"),
        ({"sql": "COMMIT", "effect": "blind"}, "begins with one of INSERT"),
        ({"sql": "DROP TABLE t", "effect": "idempotent"}, "begins with one of INSERT"),
        ({"sql": "PRAGMA x = :b"}, "begins with one of"),
        ({"sql": " \n"}, "begins with one of"),
        ({"sql": "SELECT a FROM t WHERE b = :b; SELECT 1"}, "one statement only"),
        ({"sql": "SELECT a FROM t WHERE b = :c"}, ":c is no argument"),
        ({"sql": "SELECT a FROM t"}, "does not say :b"),
        ({"sql": "SELECT a FROM t WHERE b = :b AND c = :lamgate_key"}, "is for a write"),
        ({"arguments": {"lamgate_key": "text"}}, "is no argument"),
        ({"columns": {}}, "a read says what comes back"),
        ({"columns": {"a": "money"}}, "type"),
        ({"columns": {"a": {"type": "integer", "most": 3}}}, "for a text"),
        ({"sinks": {"b": "url"}}, "follows from the statement"),
        ({"idempotency": {}}, "follows from the statement"),
        ({"effect": "keyed", "sql": "DELETE FROM t WHERE b = :b"}, "needs `receipts`"),
        ({"effect": "lookup", "sql": "DELETE FROM t WHERE b = :b"}, "has to carry :lamgate_key"),
        ({"effect": "often"}, "effect"),
        ({"gives": "few"}, "gives"),
    ],
)
def test_a_statement_that_does_not_hold_together_is_refused(changes: JsonObject, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Statements.model_validate(file_with(**changes))


def test_a_colon_that_is_none_of_ours_is_not_taken_for_an_argument() -> None:
    sql = "SELECT a::text AS a FROM t WHERE b = :b AND c = '12:30' AND d = '\\:x'"

    assert Statements.model_validate(file_with(sql=sql)).statements["it"].sql == sql


def test_a_member_that_no_manifest_has_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(json.dumps(file_with(reeds_as="trusted")), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"connections\.x: statements\.it: reeds_as"):
        load_statements(file).actions("x")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "no address of a database"),
        ("mysql://u@h/d", "write postgresql"),
        ("postgresql://u:secret@h/d", "a password is no part of it"),
        ("postgresql://u@h", "write postgresql"),
        ("postgresql://h/d", "write postgresql"),
        ("postgresql://u@h:none/d", "no address of a database"),
        ("postgresql://u@h/d?options=-c", "only sslmode and sslrootcert"),
        ("sqlite://", "write sqlite"),
        ("sqlite:///:memory:", "write sqlite"),
        ("sqlite:///x.db?mode=rwc", "write sqlite"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"connections\.stock\.base_url: .*{told}"):
        connect(_settings(address, tmp_path), _given())


async def test_a_connection_is_built_from_the_operators_file(tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path / 'stock.db'}")
    connector = connect(_settings("sqlite:///stock.db", tmp_path), _given())

    assert next(each.name for each in await connector.actions()) == "stock.shelf_get"


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    connect(_settings("sqlite:///none.db", tmp_path), _given())

    assert not (tmp_path / "none.db").exists()


def _settings(address: str, folder: Path) -> ConnectionSettings:
    (folder / "stock.yaml").write_text(FILE, encoding="utf-8")
    options: JsonObject = {"statements": "stock.yaml"}
    return ConnectionSettings("stock", "sql", address, None, options, folder)


def _given() -> Given:
    vault = Vault()
    return Given(Transport().carrying(vault), vault.stand_in)


def test_a_connection_that_leaves_the_machine_is_protected_unless_the_address_says_otherwise() -> (
    None
):
    from sqlalchemy.engine import make_url

    said = [
        tls_of("x", make_url(f"postgresql://u@{each}"))
        for each in ("db.example.com/d", "127.0.0.1/d", "[::1]/d", "db/d?sslmode=require")
    ]

    assert said == [
        {"sslmode": "verify-full", "sslrootcert": "system"},
        {},
        {},
        {"sslmode": "require"},
    ]


DAYS = st.dates().map(dt.date.isoformat)
MOMENTS = st.datetimes(
    min_value=dt.datetime(1, 1, 3),
    max_value=dt.datetime(9999, 12, 29),
    timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-7, minutes=-30))]),
).map(dt.datetime.isoformat)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30)
GIVEN: dict[Type, st.SearchStrategy[JsonValue]] = {
    Type.TEXT: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    Type.INTEGER: st.integers(-(2**53) + 1, 2**53 - 1),
    Type.NUMBER: NUMBERS,
    Type.DECIMAL: st.decimals(-(10**15), 10**15, places=4).map(lambda each: f"{each:f}"),
    Type.BOOLEAN: st.booleans(),
    Type.DATE: DAYS,
    Type.DATETIME: MOMENTS,
    Type.UUID: st.uuids().map(str),
    Type.JSON: st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab\"'ü"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner),
        max_leaves=5,
    ).filter(lambda each: each is not None),
}


def as_stored(kind: Type, value: object, *, typed: bool) -> object:
    """What a database gives back of what a driver was handed."""
    return json.loads(str(value)) if kind is Type.JSON and typed else value


@pytest.mark.parametrize("kind", Type)
@pytest.mark.parametrize("typed", [True, False])
def test_a_value_goes_to_a_driver_and_comes_back_the_same(kind: Type, typed: bool) -> None:
    @given(GIVEN[kind])
    def holds(value: JsonValue) -> None:
        argument = Argument(type=kind)
        column = Value(type=kind, nullable=True)
        assert first_flaw(argument.schema_of_all, value) is None
        handed = to_driver(kind, value, typed=typed)
        told = from_driver(column, as_stored(kind, handed, typed=typed), typed=typed)
        assert first_flaw(column.schema_of_one, told) is None
        if kind is Type.DATETIME:
            assert dt.datetime.fromisoformat(str(told)) == dt.datetime.fromisoformat(str(value))
        else:
            assert told == value

    holds()


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=8),
    st.binary(max_size=3), st.dates(), st.datetimes(), st.uuids(), st.timedeltas(), st.just([1]),
    st.just({"a": 1}), st.just({"a": 2**60}), st.just(Decimal("1e400")),
)  # fmt: skip


@given(st.sampled_from(Type), CELLS, st.booleans(), st.booleans())
def test_whatever_a_driver_gives_is_what_was_announced_or_is_refused(
    kind: Type, cell: object, typed: bool, nullable: bool
) -> None:
    column = Value(type=kind, nullable=nullable)
    try:
        told = from_driver(column, cell, typed=typed)
    except ValueError:
        return

    assert first_flaw(column.schema_of_one, told) is None
    assert json_flaw(told) is None


def test_a_number_that_json_does_not_hold_is_refused() -> None:
    for cell in (2**53, Decimal("1.5"), True, "7"):
        with pytest.raises(ValueError, match=r"integer"):
            from_driver(Value(type=Type.INTEGER), cell, typed=True)
    for kind, odd in ((Type.NUMBER, Decimal("1e400")), (Type.JSON, {"n": [2**53]})):
        with pytest.raises(ValueError, match=r"finite|beyond"):
            from_driver(Value(type=kind), odd, typed=True)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_moment_that_is_in_no_calendar_of_utc_is_refused(moment: str) -> None:
    for typed in (True, False):
        with pytest.raises(ValueError, match="in no calendar of UTC"):
            to_driver(Type.DATETIME, moment, typed=typed)
    with pytest.raises(ValueError, match="in no calendar of UTC"):
        from_driver(Value(type=Type.DATETIME), dt.datetime.fromisoformat(moment), typed=True)


def test_a_time_without_a_zone_is_one_of_utc() -> None:
    moment = dt.datetime(2026, 11, 25, 10)
    told = from_driver(Value(type=Type.DATETIME), moment, typed=True)

    assert told == "2026-11-25T10:00:00+00:00"


def test_a_uuid_is_no_text_until_the_statement_says_so() -> None:
    with pytest.raises(ValueError, match="cast it"):
        from_driver(Value(type=Type.TEXT), uuid.uuid4(), typed=True)


PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "sql.md").read_text(encoding="utf-8")


async def test_the_page_is_a_file_that_works_on_the_table_that_it_says(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))
    fill(f"sqlite:///{tmp_path / 'stock.db'}")
    settings = _settings("sqlite:///stock.db", tmp_path)
    (tmp_path / "stock.yaml").write_text(blocks["yaml"], encoding="utf-8")
    with contextlib.closing(sqlite3.connect(tmp_path / "stock.db")) as raw:
        raw.executescript(f"DROP TABLE lamgate_receipts; {blocks['sql']}")
    connector = connect(settings, _given())
    actions = {each.name: each for each in await connector.actions()}
    check_manifests(Catalog(actions.values()))
    context = call_context()
    taken = await connector.call(actions["stock.shelf_take"], {"sku": "BOWL", "pieces": 2}, context)
    read = await connector.call(actions["stock.shelf_get"], {"sku": "BOWL"}, context)

    assert "stock.yaml" in blocks["toml"]
    assert taken == Applied({"affected": 1})
    assert read == Applied({"sku": "BOWL", "on_hand": 8})


def test_the_page_says_every_member_of_a_statement_and_every_type() -> None:
    words = {*Statement.model_fields, *Argument.model_fields, *Statements.model_fields, *Type}

    assert sorted(each for each in words if not re.search(rf"\b{each}\b", PAGE)) == []
