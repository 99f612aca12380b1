"""How many rows a write has touched, also where it begins with a query of its own."""

from sql_world import FILE, Stock, call

from connectors.connector import Applied

MORE = (
    FILE
    + """
  moves_forget:
    description: Forget the moves of an article.
    sql: >
      WITH old AS (SELECT id FROM moves WHERE sku = :sku)
      DELETE FROM moves WHERE id IN (SELECT id FROM old)
    effect: idempotent
    arguments: {sku: text}
    affects: any
  shelf_raise:
    description: Put pieces on one shelf.
    sql: >
      WITH it AS (SELECT :sku AS sku)
      UPDATE shelves SET on_hand = on_hand + 1 WHERE sku = (SELECT sku FROM it)
    effect: idempotent
    arguments: {sku: text}
"""
)


async def test_how_many_rows_a_write_with_a_query_in_it_touched_is_told(stock: Stock) -> None:
    connector = stock.connector(file=MORE)
    for reference in ("a", "b", "c"):
        await call(connector, "move_note", {"sku": "BOWL", "quantity": 1}, key=reference)
    found = await call(connector, "moves_forget", {"sku": "BOWL"})

    assert stock.moves() == 0
    assert isinstance(found, Applied)
    assert found.output == {"affected": 3}


async def test_of_such_a_write_one_row_is_one_row(stock: Stock) -> None:
    connector = stock.connector(file=MORE)
    found = await call(connector, "shelf_raise", {"sku": "BOWL"})

    assert isinstance(found, Applied)
