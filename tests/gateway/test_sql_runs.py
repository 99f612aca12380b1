"""Statements in runs of a whole gateway: taken back, and settled where a commit had no answer."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Running, plan, serving, step, until_status

for room in ("connectors", "store"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
from connector_cases import Outside  # noqa: E402
from lossy_way import Cut, Way  # noqa: E402
from servers import missing, server  # noqa: E402
from sql_world import FILE, Stock, fill, way_to  # noqa: E402

CONFIG = """
[database]
url = "sqlite:///var/lamgate.db"

[connections.stock]
connector = "sql"
base_url = "{url}"
statements = "stock.yaml"
allow_hosts = ["{host}"]

[policy]
path = "policies"

[runs]
on_failure = "undo"
"""
POLICY = 'permit (principal, action, resource) when { principal.roles.contains("requester") };'
WORDS = "move 3 of BOWL, and of NONE"


def configured(folder: Path, url: str) -> Path:
    """An operator's file over a stock."""
    (folder / "stock.yaml").write_text(FILE, encoding="utf-8")
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "stock.cedar").write_text(POLICY, encoding="utf-8")
    host = url.partition("@")[2].partition("/")[0] or "127.0.0.1:1"
    (folder / "lamgate.toml").write_text(CONFIG.format(url=url, host=host), encoding="utf-8")
    return folder / "lamgate.toml"


async def ran(running: Running, *steps: dict[str, Any]) -> tuple[Any, Any]:
    """A run of these steps when it ends or waits, and its trace."""
    person = await running.person("requester-1", "requester")
    made = await person.post("/v1/plans", json={"plan": plan(*steps), "request": WORDS})
    assert made.status_code == 201, made.text
    run = (await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
    ends = ("succeeded", "failed", "undone", "compensation_incomplete")
    row = await until_status(person, f"/v1/runs/{run}", *ends)
    return row, (await person.get(f"/v1/runs/{run}/trace")).json()


def move(name: str, action: str, sku: str = "BOWL") -> dict[str, Any]:
    return step(name, f"stock.{action}", sku=sku, quantity=3)


async def test_a_write_is_taken_back_by_its_statement_where_a_later_one_fails(
    tmp_path: Path,
) -> None:
    stock = Stock(f"sqlite:///{tmp_path / 'stock.db'}", tmp_path, Outside())
    fill(stock.url)
    config = configured(tmp_path, "sqlite:///stock.db")
    async with serving(config) as running:
        kept, _ = await ran(running, move("one", "move_make"))
        row, trace = await ran(
            running,
            move("two", "move_make"),
            move("three", "move_make", "NONE") | {"after": ["two"]},
        )

    assert kept["status"] == "succeeded"
    assert (row["status"], row["undone"]) == ("undone", ["two"]), trace
    assert stock.moves() == 1


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A database on a PostgreSQL server; skips where none can be."""
    if why := missing():
        pytest.skip(why)
    with server() as started:
        yield started.new_database()


@pytest.mark.parametrize(
    ("action", "cut", "attempts"),
    [
        ("move_make", "after", 2),
        ("move_make", "before", 2),
        ("move_note", "after", 1),
    ],
)
async def test_a_commit_whose_answer_was_lost_is_settled_and_made_once(
    address: str, tmp_path: Path, action: str, cut: Cut, attempts: int
) -> None:
    fill(address)
    stock = Stock(address, tmp_path, Outside())
    async with way_to(address) as (way, url):
        # Signing on says no COMMIT, and reads are rolled back: the first one is the write's.
        way.cut = cut
        async with serving(configured(tmp_path, url)) as running:
            row, trace = await ran(running, move("one", action))

    assert isinstance(way, Way)
    assert way.cuts == 1
    assert row["status"] == "succeeded", trace
    assert len(trace["steps"][0]["attempts"]) == attempts
    assert stock.moves() == 1


SLOW = """
CREATE OR REPLACE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON moves DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slowly()
"""


async def test_a_commit_that_is_still_at_work_is_not_taken_for_none(
    address: str, tmp_path: Path
) -> None:
    """The server goes on with it though nobody is there to hear the answer."""
    fill(address)
    stock = Stock(address, tmp_path, Outside())
    stock.ask(SLOW)
    stock.ask(AT_COMMIT)
    async with way_to(address) as (way, url):
        way.cut = "during"
        config = configured(tmp_path, url)
        settled = FILE.replace("effect: lookup\n", "effect: lookup\n    settle_s: 4\n")
        (tmp_path / "stock.yaml").write_text(settled, encoding="utf-8")
        async with serving(config) as running:
            row, trace = await ran(running, move("one", "move_note"))

    assert way.cuts == 1
    assert row["status"] == "succeeded", trace
    assert stock.moves() == 1
