"""Statements on a real SQLite file and a real PostgreSQL server: the same calls, the same ends."""

import asyncio

import pytest
from pydantic import JsonValue
from sql_world import FILE, Stock, call

from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Unavailable
from connectors.spec import JsonObject


def output_of(end: Outcome | ConnectorError) -> JsonValue:
    assert isinstance(end, Applied), end
    return end.output


async def test_a_read_gives_its_row_as_it_was_announced(stock: Stock) -> None:
    end = await call(stock.connector(), "shelf_get", {"sku": "BOWL"})

    assert output_of(end) == {"sku": "BOWL", "on_hand": 10}


async def test_a_row_that_is_not_there_is_null_where_it_may_be_and_not_found_elsewhere(
    stock: Stock,
) -> None:
    connector = stock.connector()
    maybe = await call(connector, "shelf_find", {"sku": "NONE"})
    one = await call(connector, "shelf_get", {"sku": "NONE"})

    assert output_of(maybe) is None
    assert isinstance(one, Refused)
    assert one.kind is Kind.NOT_FOUND


async def test_more_rows_than_are_passed_on_are_said_to_be_there(stock: Stock) -> None:
    connector = stock.connector()
    ends = [
        await call(connector, "shelf_list", {"skus": [*skus]})
        for skus in (["CUP"], ["POT", "BOWL"], ["POT", "BOWL", "CUP"])
    ]

    assert [output_of(each) for each in ends] == [
        {"rows": [{"sku": "CUP"}], "has_more": False},
        {"rows": [{"sku": "BOWL"}, {"sku": "POT"}], "has_more": False},
        {"rows": [{"sku": "BOWL"}, {"sku": "CUP"}], "has_more": True},
    ]


KNOWN: JsonObject = {
    "sku": "CUP",
    "price": "12.5000",
    "counted": "2026-11-25",
    "seen": "2026-11-25T10:00:00+00:00",
    "note": {"a": [1, "x", None], "b": "ü"},
    "is_open": True,
    "weight": 0.25,
    "tag": "8f14e45f-ceea-467f-a0e6-5d7d1b7b0d4f",
}


async def test_each_type_goes_in_and_comes_out_the_same(stock: Stock) -> None:
    connector = stock.connector()
    written = await call(connector, "shelf_set", KNOWN)
    read = await call(connector, "shelf_find", {"sku": "CUP"})
    emptied = await call(connector, "shelf_set", {"sku": "CUP"})
    again = await call(connector, "shelf_find", {"sku": "CUP"})

    assert output_of(written) == output_of(emptied) == {"affected": 1}
    assert output_of(read) == KNOWN
    assert output_of(again) == {**dict.fromkeys(KNOWN), "sku": "CUP"}


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE shelves; --", "%s %(a)s :x \\", "\"'`$$", "a\nb\t", "ü€😀", "NULL", "{}", ""],
)
async def test_nothing_that_a_plan_gives_becomes_text_of_a_statement(
    stock: Stock, text: str
) -> None:
    connector = stock.connector()
    found = await call(connector, "shelf_find", {"sku": text})
    await call(connector, "shelf_set", {"sku": "CUP", "note": text})
    kept = await call(connector, "shelf_find", {"sku": "CUP"})

    assert output_of(found) is None
    assert output_of(kept) == {**dict.fromkeys(KNOWN), "sku": "CUP", "note": text}
    assert stock.on_hand() == 10


async def test_under_one_key_a_write_happens_once_and_gives_what_it_gave(stock: Stock) -> None:
    asked: JsonObject = {"sku": "BOWL", "quantity": 3}
    first = await call(stock.connector(), "move_make", asked, key="ONE")
    second = await call(stock.connector(), "move_make", asked, key="ONE")
    other = await call(stock.connector(), "move_make", asked, key="TWO")

    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert (first.replayed, second.replayed) == (False, True)
    assert first.output == second.output != output_of(other)
    assert stock.moves() == 2


async def test_many_at_once_under_one_key_are_one_write(stock: Stock) -> None:
    connector = stock.connector()
    asked: JsonObject = {"sku": "BOWL", "pieces": 1}
    ends = await asyncio.gather(
        *(call(connector, "shelf_take", asked, key="SAME") for _ in range(12))
    )

    assert [output_of(each) for each in ends] == [{"affected": 1}] * 12
    assert stock.on_hand() == 9


async def test_a_key_of_another_call_is_refused(stock: Stock) -> None:
    connector = stock.connector()
    await call(connector, "shelf_take", {"sku": "BOWL", "pieces": 1}, key="ONE")
    end = await call(connector, "shelf_take", {"sku": "BOWL", "pieces": 2}, key="ONE")

    assert isinstance(end, Refused)
    assert end.kind is Kind.CONFLICT
    assert stock.on_hand() == 9


async def test_a_write_that_is_refused_leaves_no_receipt_and_may_be_made_later(
    stock: Stock,
) -> None:
    connector = stock.connector()
    asked: JsonObject = {"sku": "POT", "pieces": 1}
    refused = await call(connector, "shelf_take", asked, key="ONE")
    stock.ask("UPDATE shelves SET on_hand = 1 WHERE sku = 'POT'")
    later = await call(connector, "shelf_take", asked, key="ONE")

    assert isinstance(refused, Refused)
    assert isinstance(later, Applied)
    assert not later.replayed
    assert stock.on_hand("POT") == 0


async def test_what_is_looked_up_is_found_by_its_key_and_nothing_else_is(stock: Stock) -> None:
    connector = stock.connector()
    made = await call(connector, "move_note", {"sku": "CUP", "quantity": 1}, key="MINE")
    found = await call(connector, "move_find", {"reference": "MINE"})
    absent = await call(connector, "move_find", {"reference": "OTHER"})

    assert output_of(found) == output_of(made)
    assert output_of(absent) is None


@pytest.mark.parametrize(
    ("like", "kind"), [("NONE", Kind.NOT_FOUND), ("%", Kind.CONFLICT), ("CUP", None)]
)
async def test_a_write_that_touches_another_number_of_rows_than_it_says_is_taken_back(
    stock: Stock, like: str, kind: Kind | None
) -> None:
    end = await call(stock.connector(), "shelf_empty", {"like": like})

    assert (end.kind if isinstance(end, Refused) else None) is kind
    assert stock.on_hand() == 10
    assert stock.on_hand("CUP") == (0 if kind is None else 5)


async def test_a_result_that_was_not_announced_is_refused_before_the_write_is_kept(
    stock: Stock,
) -> None:
    end = await call(stock.connector(), "shelf_wrong", {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INTERNAL
    assert "on_hand" in end.message
    assert stock.on_hand() == 10


ODD = """
  shelf_odd:
    description: Put a piece on a shelf and give what no JSON is made of.
    sql: UPDATE shelves SET on_hand = on_hand + 1 WHERE sku = 'BOWL' RETURNING {told} AS told
    effect: blind
    columns: {{told: {kind}}}
    gives: one
"""
OF_POSTGRES = [
    ("ARRAY[1.5, 2]::numeric[]", "json"),
    ("ARRAY[now()]", "json"),
    ("ARRAY['\\\\x00']::bytea[]", "json"),
    ("CAST('[1e400]' AS jsonb)", "json"),
    ("CAST('infinity' AS timestamptz)", "datetime"),
    ("CAST('0044-03-15 BC' AS date)", "date"),
    ("CAST('NaN' AS numeric)", "decimal"),
    ("CAST('12345678901234567.89' AS numeric)", "number"),
    ("9007199254740993", "number"),
]


@pytest.mark.parametrize(("told", "kind"), OF_POSTGRES)
async def test_what_is_no_json_of_its_kind_is_refused_before_the_write_is_kept(
    stock: Stock, told: str, kind: str
) -> None:
    if stock.url.startswith("sqlite"):
        pytest.skip("a type of PostgreSQL")
    end = await call(stock.connector(file=FILE + ODD.format(told=told, kind=kind)), "shelf_odd", {})

    assert isinstance(end, Refused), end
    assert stock.on_hand() == 10


HUGE = """
  shelf_notes:
    description: List what is noted of all shelves.
    sql: SELECT sku, note FROM shelves WHERE sku IN :skus ORDER BY sku
    effect: read
    arguments: {skus: {type: text, many: true}}
    columns: {sku: text, note: json}
    gives: many
  shelf_clear:
    description: Clear a shelf and give what was noted of it.
    sql: UPDATE shelves SET on_hand = 0 WHERE sku = :sku RETURNING note
    effect: idempotent
    arguments: {sku: text}
    columns: {note: json}
    gives: one
"""


async def test_rows_of_more_than_an_answer_may_have_are_refused_before_a_write_is_kept(
    stock: Stock,
) -> None:
    for sku, size in (("BOWL", 11), ("CUP", 6), ("POT", 6)):
        note = '"' + "x" * size * 1024 * 1024 + '"'
        stock.ask(f"UPDATE shelves SET note = '{note}' WHERE sku = '{sku}'")
    connector = stock.connector(file=FILE + HUGE)
    one = await call(connector, "shelf_notes", {"skus": ["CUP"]})
    two = await call(connector, "shelf_notes", {"skus": ["CUP", "POT"]})
    written = await call(connector, "shelf_clear", {"sku": "BOWL"})

    assert isinstance(one, Applied)
    for each in (two, written):
        assert isinstance(each, Refused)
        assert each.kind is Kind.INTERNAL
        assert "10485760" in each.message
    assert stock.on_hand() == 10


NOES: dict[str, tuple[str, JsonObject, Kind, tuple[str, str]]] = {
    "taken": (
        "move_blindly",
        {"reference": "R", "sku": "CUP", "quantity": 1},
        Kind.CONFLICT,
        ("SQLITE_CONSTRAINT_UNIQUE", "23505"),
    ),
    "refers to nothing": (
        "move_blindly",
        {"sku": "NONE", "quantity": 1},
        Kind.CONFLICT,
        ("SQLITE_CONSTRAINT_FOREIGNKEY", "23503"),
    ),
    "does not fit": (
        "shelf_take",
        {"sku": "POT", "pieces": 1},
        Kind.INVALID,
        ("SQLITE_CONSTRAINT_CHECK", "23514"),
    ),
    "no such table": ("shelf_gone", {}, Kind.INTERNAL, ("SQLITE_ERROR", "42P01")),
}


@pytest.mark.parametrize("name", NOES)
async def test_a_no_of_the_database_has_one_kind_and_keeps_its_own_code(
    stock: Stock, name: str
) -> None:
    operation, arguments, kind, codes = NOES[name]
    stock.ask("INSERT INTO moves (reference, sku, quantity) VALUES ('R', 'CUP', 1)")
    end = await call(stock.connector(), operation, arguments)

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code) == (kind, codes[stock.url.startswith("postgresql")])
    assert stock.moves() == 1


SLY = """
  move_slyly:
    description: Write, although it says that it reads.
    sql: {sql}
    effect: read
    columns: {{id: integer}}
"""
SLY_SQL = {
    "sqlite": "WITH x AS (SELECT 1) DELETE FROM moves RETURNING id",
    "postgresql": "WITH x AS (DELETE FROM moves RETURNING id) SELECT id FROM x",
}


async def test_a_read_cannot_write_whatever_its_text_says(stock: Stock) -> None:
    stock.ask("INSERT INTO moves (reference, sku, quantity) VALUES ('R', 'CUP', 1)")
    file = FILE + SLY.format(sql=SLY_SQL[stock.url.partition(":")[0]])
    end = await call(stock.connector(file=file), "move_slyly", {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INTERNAL
    assert stock.moves() == 1


async def test_who_waits_for_a_lock_until_the_deadline_has_done_nothing(stock: Stock) -> None:
    connector = stock.connector()
    async with stock.locked():
        ends = await asyncio.gather(
            call(connector, "shelf_get", {"sku": "BOWL"}, seconds=0.5),
            call(connector, "shelf_take", {"sku": "BOWL", "pieces": 1}, seconds=0.5),
        )
    later = await call(connector, "shelf_take", {"sku": "BOWL", "pieces": 1})

    assert [type(each) for each in ends] == [Unavailable, Unavailable]
    assert output_of(later) == {"affected": 1}
    assert stock.on_hand() == 9


async def test_nothing_begins_after_its_time(stock: Stock) -> None:
    end = await call(stock.connector(), "shelf_take", {"sku": "BOWL", "pieces": 1}, seconds=-1)

    assert isinstance(end, Unavailable)
    assert not end.sent
    assert stock.on_hand() == 10


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sku": 1},
        {"sku": "BOWL", "x": 1},
        {"sku": "x" * 41},
        {"sku": None},
        {"sku": "a\0b"},
    ],
)
async def test_what_cannot_be_asked_is_refused(stock: Stock, arguments: JsonObject) -> None:
    end = await call(stock.connector(), "shelf_get", arguments)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seen", "2026-02-30T00:00:00Z"),
        ("seen", "2026-12-31T23:59:60Z"),
        ("counted", "2026-02-30"),
        ("price", "1e5"),
        ("tag", "x"),
    ],
)
async def test_a_value_that_no_database_has_is_refused(
    stock: Stock, name: str, value: JsonValue
) -> None:
    end = await call(stock.connector(), "shelf_set", {"sku": "CUP", name: value})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
