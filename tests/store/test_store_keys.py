"""Keys are found by their secret, which is not kept; answers by their Idempotency-Key."""

import re
from functools import partial

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.engine import make_url
from store_cases import NOW, TENANT

from connectors.spec import Principal
from executor.store import idempotency, ids, keys, tables
from executor.store.errors import StoreError
from executor.store.idempotency import Kept
from executor.store.kept import KEPT_S
from executor.store.sqlite import sqlite_path
from executor.store.store import Store

WHO = Principal("requester", TENANT, frozenset({"requester"}))
OTHERS = (Principal("approver", TENANT), Principal("requester", "other"))
SECRET = "lam_" + "a-secret-that-nobody-else-has"
ANSWER = Kept("sha256:body", 202, '{"id":"req_a"}')
ANOTHER = Kept("sha256:another", 202, '{"id":"req_b"}')


async def test_a_key_is_found_by_its_secret_alone(store: Store) -> None:
    await store.write(lambda c: keys.add(c, "key_a", WHO, SECRET, NOW))
    found = await store.read(lambda c: keys.find(c, SECRET))

    assert found is not None
    assert (found.id, found.principal, found.revoked_at) == ("key_a", WHO, None)
    assert await store.read(lambda c: keys.find(c, SECRET + "x")) is None
    assert await store.read(lambda c: keys.find(c, keys.hash_of(SECRET))) is None


async def test_no_file_of_the_database_holds_the_secret(file_store: Store, file_url: str) -> None:
    folder = sqlite_path(make_url(file_url)).parent
    await file_store.write(lambda c: keys.add(c, "key_a", WHO, SECRET, NOW))
    during = [file.read_bytes() for file in folder.iterdir()]
    await file_store.close()
    after = [file.read_bytes() for file in folder.iterdir()]

    assert any(keys.hash_of(SECRET).encode() in content for content in after)
    assert not any(SECRET.encode() in content for content in during + after)


async def test_a_key_is_revoked_once_and_by_its_tenant_alone(store: Store) -> None:
    await store.write(lambda c: keys.add(c, "key_a", WHO, SECRET, NOW))
    revoked = [
        await store.write(lambda c, tenant=tenant: keys.revoke(c, tenant, "key_a", NOW + 1))
        for tenant in ("other", TENANT, TENANT)
    ]
    (row,) = await store.read(partial(keys.listed, tenant=TENANT))
    others = await store.read(partial(keys.listed, tenant="other"))

    assert revoked == [False, True, False]
    assert row.revoked_at == NOW + 1
    assert others == []


async def test_an_answer_is_found_again_by_the_same_person_on_the_same_route(
    store: Store,
) -> None:
    await store.write(lambda c: idempotency.keep(c, WHO, "/v1/requests", "k", ANSWER, NOW))
    found = [
        await store.read(lambda c, case=case: idempotency.find(c, *case, now=NOW + 1))
        for case in (
            (WHO, "/v1/requests", "k"),
            (WHO, "/v1/requests", "K"),
            (WHO, "/v1/plans", "k"),
            *((other, "/v1/requests", "k") for other in OTHERS),
        )
    ]

    assert found == [ANSWER, None, None, None, None]


async def test_one_key_has_one_answer(store: Store) -> None:
    await store.write(lambda c: idempotency.keep(c, WHO, "/v1/requests", "k", ANSWER, NOW))

    with pytest.raises(StoreError):
        await store.write(lambda c: idempotency.keep(c, WHO, "/v1/requests", "k", ANSWER, NOW))


async def test_answers_are_kept_for_thirty_days(store: Store) -> None:
    await store.write(lambda c: idempotency.keep(c, WHO, "/v1/requests", "k", ANSWER, NOW))
    last = await store.read(
        lambda c: idempotency.find(c, WHO, "/v1/requests", "k", NOW + KEPT_S - 1)
    )
    gone = await store.read(lambda c: idempotency.find(c, WHO, "/v1/requests", "k", NOW + KEPT_S))
    await store.write(lambda c: idempotency.keep(c, WHO, "/v1/requests", "k", ANSWER, NOW + KEPT_S))

    assert (last, gone) == (ANSWER, None)


async def test_of_old_answers_a_few_go_with_each_that_is_kept_and_a_key_is_free_before_that(
    store: Store,
) -> None:
    count, later = 3 * idempotency.SOME, NOW + KEPT_S

    def many(c: Connection) -> None:
        for number in range(count):
            idempotency.keep(c, WHO, "/v1/plans", f"{number}", ANSWER, NOW - number)

    def again(c: Connection) -> tuple[int, Kept | None]:
        idempotency.keep(c, WHO, "/v1/plans", "0", ANOTHER, later)  # the last of them to go
        rows = c.execute(select(func.count()).select_from(tables.idempotency)).scalar_one()
        return rows, idempotency.find(c, WHO, "/v1/plans", "0", later)

    await store.write(many)

    assert await store.write(again) == (count - idempotency.SOME, ANOTHER)


def test_ids_say_what_they_are_of_and_are_never_the_same() -> None:
    made = {ids.new("run") for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"run_[a-z2-7]{26}", each) for each in made)
