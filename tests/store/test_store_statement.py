"""What the driver sends itself means the same as what SQLAlchemy sends."""

from functools import partial

import pytest
from sqlalchemy import Connection, Double, Integer, Text, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from store_cases import NOW

from executor.store import plans
from executor.store.errors import StoreError
from executor.store.plans import PlanRow
from executor.store.statement import Change, Query, one_of
from executor.store.store import Store
from executor.store.tables import events, facts, metadata

ADD = Change(insert(facts))
RENAME = Change(
    update(facts)
    .where(one_of(facts.c.name, ("a", "b")))
    .values(name=facts.c.name.concat(bindparam("tail", type_=Text)))
)
VALUE = Query(select(facts.c.value).where(facts.c.name == bindparam("which")), str)
ALL = Query(select(facts.c.name, facts.c.value).order_by(facts.c.name), lambda *row: row)


def test_drivers_take_and_give_every_value_of_our_tables_as_it_is() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.columns]

    assert {type(column.type) for column in columns} == {Text, Integer, Double}


async def test_rows_come_one_by_one_or_all_together(store: Store) -> None:
    await store.write(lambda c: c.execute(facts.delete()) and None)
    rows = [{"name": name, "value": name.upper()} for name in ("a", "b", "c")]
    await store.write(lambda c: ADD.many(c, rows))

    assert await store.write(lambda c: RENAME.once(c, {"tail": "2"})) == 2
    assert await store.read(lambda c: VALUE.one(c, {"which": "c"})) == "C"
    assert await store.read(lambda c: VALUE.one(c, {"which": "a"})) is None
    assert await store.read(lambda c: ALL.all(c, {})) == [("a2", "A"), ("b2", "B"), ("c", "C")]


async def test_an_error_is_the_one_that_sqlalchemy_would_have_raised(store: Store) -> None:
    row = {"name": "a", "value": "1"}
    await store.write(lambda c: ADD.once(c, row))

    with pytest.raises(StoreError) as once:
        await store.write(lambda c: ADD.once(c, row))
    with pytest.raises(StoreError) as many:
        await store.write(lambda c: ADD.many(c, [row]))

    assert isinstance(once.value.__cause__, IntegrityError)
    assert isinstance(many.value.__cause__, IntegrityError)


async def test_a_plan_tells_whether_a_secret_was_taken_out_of_it(url: str) -> None:
    store = await Store.open(url, lambda text: text.replace("s3cret", "***"))

    def kept(c: Connection, word: str) -> bool:
        row = PlanRow("main", f"pln_{word}", "sha256:0", "ada", None, {"text": word}, NOW)
        return plans.add(c, row)

    whole = [await store.write(partial(kept, word=word)) for word in ("word", "s3cret")]
    await store.close()

    assert whole == [True, False]


async def test_secrets_are_hidden_in_what_the_driver_sends_itself(url: str) -> None:
    store = await Store.open(url, lambda text: text.replace("s3cret", "***"))
    row = {"tenant": "main", "subject": "s", "at": NOW, "type": "t", "v": 1, "large": None}
    add = Change(insert(events))
    await store.write(lambda c: add.once(c, row | {"seq": 1, "data": '{"x":"s3cret"}'}))
    await store.write(lambda c: add.many(c, [row | {"seq": 2, "data": '{"y":"s3cret"}'}]))
    data = await store.read(lambda c: [*c.execute(select(events.c.data)).scalars()])
    await store.close()

    assert data == ['{"x":"***"}', '{"y":"***"}']


async def test_secrets_are_hidden_in_what_sqlalchemy_sends_one_by_one_or_all_together(
    url: str,
) -> None:
    store = await Store.open(url, lambda text: text.replace("s3cret", "***"))
    one, *many = [{"name": name, "value": f"{name} s3cret"} for name in ("a", "b", "c")]
    await store.write(lambda c: c.execute(insert(facts), one) and None)
    await store.write(lambda c: c.execute(insert(facts), many) and None)
    renamed = (
        update(facts).values(name=facts.c.name + " s3cret").where(facts.c.name.in_(["a", "b", "c"]))
    )
    await store.write(lambda c: c.execute(renamed) and None)
    told = await store.read(lambda c: ALL.all(c, {}))
    await store.close()

    assert [row for row in told if "***" in row[1]] == [
        (f"{name} ***", f"{name} ***") for name in ("a", "b", "c")
    ]
