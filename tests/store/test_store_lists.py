"""However much there is, a list, a key and an answer are found without looking at all of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from store_cases import NOW, TENANT

from connectors.spec import Principal
from executor.store import approvals, idempotency, keys, requests, runs
from executor.store.idempotency import Kept
from executor.store.store import Store

WHO = Principal("requester", TENANT)
ANSWER = Kept("sha256:body", 202, "{}")


def kept(c: Connection) -> None:
    idempotency.keep(c, WHO, "/v1/requests", "key", ANSWER, NOW)


ASKED: dict[str, Callable[[Connection], object]] = {
    "requests": partial(requests.newest, tenant=TENANT),
    "requests on": partial(requests.newest, tenant=TENANT, before="req_a"),
    "runs": partial(runs.newest, tenant=TENANT),
    "runs on": partial(runs.newest, tenant=TENANT, before="run_a"),
    "approvals": partial(approvals.listed, tenant=TENANT),
    "approvals on": partial(approvals.listed, tenant=TENANT, state="open", after="apr_a"),
    "a key": partial(keys.find, secret="lam_x"),
    "an answer": partial(idempotency.find, by=WHO, route="/v1/requests", key="key", now=NOW),
    "an answer is kept": kept,
}


@pytest.mark.parametrize("name", ASKED)
async def test_it_is_found_by_an_index_and_comes_in_order(
    file_store: Store, tmp_path: Path, name: str
) -> None:
    sent: list[tuple[str, Any]] = []

    def work(c: Connection) -> None:
        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            sent.append((statement, parameters))

        event.listen(c, "before_cursor_execute", note)
        ASKED[name](c)
        event.remove(c, "before_cursor_execute", note)

    await file_store.write(work)
    with closing(sqlite3.connect(tmp_path / "lamgate.db")) as database:
        plan = [
            str(row[3])
            for statement, parameters in sent
            for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    assert plan
    assert [each for each in plan if "SCAN" in each or "TEMP B-TREE" in each] == []
