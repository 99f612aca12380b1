"""Actions are found by their words, the same each time, in memory or from what was kept."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from planner.search import FILE, Search
from planner.stems import stems


def action(name: str, description: str = "", *arguments: str) -> ActionSpec:
    properties = {each: {"type": "string"} for each in arguments}
    schema = {"type": "object", "properties": properties}
    return ActionSpec.model_validate(
        {"name": name, "description": description, "input_schema": schema}
    )


SHOP = (
    action("orders.get_order", "one order with its lines", "order_id"),
    action("orders.cancel_order", "cancels an order that was not sent", "order_id", "reason"),
    action("payments.refund_create", "gives money back for an order", "charge", "amount"),
    action("mail.send", "sends an e-mail to somebody", "to", "subject"),
    action("crm.find_cafe", "where one can have a café crème", "city"),
)


def named(found: tuple[ActionSpec, ...]) -> list[str]:
    return [each.name for each in found]


def test_what_has_the_rarer_words_comes_first() -> None:
    search, catalog = Search(), Catalog(SHOP)

    assert named(search.best(catalog, ["refund my order"], 2))[0] == "payments.refund_create"
    assert named(search.best(catalog, ["Cancels orders?"], 1)) == ["orders.cancel_order"]
    assert named(search.best(catalog, ["CAFÉ"], 5)) == ["crm.find_cafe"]
    assert named(search.best(catalog, ["the reason", "of it"], 5)) == ["orders.cancel_order"]
    assert search.best(catalog, ["xyzzy"], 5) == ()
    assert search.best(catalog, [], 5) == ()


WORDS = st.text(max_size=60) | st.lists(
    st.sampled_from(["order", "mail", '"', "NEAR(", "OR", "*", "name:", "\x00", "café", "😀"])
).map(" ".join)


@given(WORDS, st.integers(1, 9))
def test_any_words_are_only_words(words: str, limit: int) -> None:
    catalog = Catalog(SHOP)
    found = Search().best(catalog, [words], limit)
    said = set(stems(words))
    expected = {
        each.name
        for each in SHOP
        if said & {*stems(each.name), *stems(each.description)}
        | said & {*stems(" ".join(map(str, dict(each.input_schema["properties"]))))}  # type: ignore[arg-type]
    }

    assert len(found) == min(limit, len(expected))
    assert set(named(found)) <= expected
    assert found == Search().best(catalog, [words], limit)


def test_what_is_kept_is_used_again_and_answers_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    first = Search(folder).best(Catalog(SHOP), ["order"], 3)
    written = (folder / FILE).stat()
    again = Search(folder).best(Catalog(SHOP), ["order"], 3)
    kept = (folder / FILE).stat()

    assert first == again == Search().best(Catalog(SHOP), ["order"], 3)
    assert (written.st_ino, written.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert [each.name for each in folder.iterdir()] == [FILE]
    assert kept.st_mode & 0o777 == 0o600


def test_a_catalogue_that_changed_is_indexed_anew_and_the_old_one_still_answers(
    tmp_path: Path,
) -> None:
    search, old = Search(tmp_path), Catalog(SHOP)
    before = search.best(old, ["order"], 5)
    new = Catalog([*SHOP, action("orders.list_orders", "orders by status")])

    assert "orders.list_orders" in named(search.best(new, ["orders"], 5))
    assert search.best(old, ["order"], 5) == before
    assert "orders.list_orders" in named(Search(tmp_path).best(new, ["orders"], 5))


def test_what_cannot_be_read_or_written_is_as_good_as_not_there(tmp_path: Path) -> None:
    expected = Search().best(Catalog(SHOP), ["order"], 5)
    (tmp_path / FILE).write_bytes(b"no database at all" * 1000)
    no_database = Search(tmp_path).best(Catalog(SHOP), ["order"], 5)
    (tmp_path / "file").write_text("in the way")
    no_folder = Search(tmp_path / "file").best(Catalog(SHOP), ["order"], 5)

    assert no_database == no_folder == expected


def test_what_is_broken_inside_is_made_anew_when_it_is_asked(tmp_path: Path) -> None:
    Search(tmp_path).best(Catalog(SHOP), ["order"], 5)
    database = sqlite3.connect(tmp_path / FILE)
    with database:
        database.execute("UPDATE actions_data SET block = x'00ff00ff' WHERE id > 10")
    database.close()

    assert Search(tmp_path).best(Catalog(SHOP), ["order"], 5) == Search().best(
        Catalog(SHOP), ["order"], 5
    )


def test_words_that_nearly_every_action_has_do_not_crowd_out_the_others() -> None:
    crowd = [action(f"crm.thing_{n}", "does a thing to the record") for n in range(1500)]
    catalog = Catalog([*crowd, action("crm.archive", "puts a record away")])
    search = Search()

    assert named(search.best(catalog, ["archive the record"], 3)) == ["crm.archive"]
    assert len(search.best(catalog, ["the record"], 3)) == 3, "where there is nothing else"


def test_many_threads_get_the_same_answer(tmp_path: Path) -> None:
    search, catalog = Search(tmp_path), Catalog(SHOP)
    with ThreadPoolExecutor(8) as pool:
        found = {*pool.map(lambda _: search.best(catalog, ["order mail"], 5), range(40))}

    assert len(found) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights there")
def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    Search(tmp_path / "new").best(Catalog(SHOP), ["order"], 5)

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
