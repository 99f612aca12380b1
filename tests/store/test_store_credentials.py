"""Stored credentials: refreshed by one at a time, never set back, and consents that count once."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from store_cases import NOW, TENANT

from executor.store import credentials
from executor.store.credentials import TOGETHER, ConsentRow, CredentialRow
from executor.store.store import Store

ROW = CredentialRow(
    TENANT, "things", "oauth-code", {"client_id": "us"}, "sealed 1", "ready", None, NOW + 60,
    1, 0.0, NOW, NOW,
)  # fmt: skip
CONSENT = ConsentRow(
    TENANT, "ticket", "things", "ann", "state", "browser", "sealed", "https://us/back", NOW + 600
)


async def kept(store: Store, row: CredentialRow = ROW) -> CredentialRow:
    found = await store.read(partial(credentials.get, tenant=row.tenant, name=row.id))
    assert found is not None
    return found


async def lease(store: Store, row: CredentialRow, now: float) -> bool:
    return await store.write(partial(credentials.lease, row=row, until=now + 10, now=now))


async def renew(store: Store, row: CredentialRow, sealed: str) -> bool:
    return await store.write(partial(credentials.renew, row=row, now=NOW + 1, sealed=sealed))


async def test_one_at_a_time_may_refresh_and_the_next_once_that_is_over(store: Store) -> None:
    await store.write(partial(credentials.put, row=ROW))
    row = await kept(store)
    taken = [await lease(store, row, at) for at in (NOW, NOW + 9.9, NOW + 10)]
    await store.write(partial(credentials.release, row=row))

    assert taken == [True, False, True]
    assert await lease(store, row, NOW + 10.1)


async def test_who_read_it_before_it_was_renewed_neither_refreshes_nor_writes(store: Store) -> None:
    await store.write(partial(credentials.put, row=ROW))
    before = await kept(store)
    await lease(store, before, NOW)
    renewed = await renew(store, before, "sealed 2")
    late = [await lease(store, before, NOW + 20), await renew(store, before, "sealed 1 again")]
    after = await kept(store)

    assert (renewed, late) == (True, [False, False])
    assert (after.sealed, after.leased_until) == ("sealed 2", 0.0)
    assert after.generation == before.generation + 1
    assert await lease(store, after, NOW + 1)


async def test_what_was_set_anew_is_not_overwritten_by_a_refresh_of_what_was_before(
    store: Store,
) -> None:
    first = await store.write(partial(credentials.put, row=ROW))
    before = await kept(store)
    await lease(store, before, NOW)
    second = await store.write(partial(credentials.put, row=replace(ROW, sealed="set anew")))

    assert (first, second) == (True, False)
    assert not await renew(store, before, "sealed 2")
    assert (await kept(store)).sealed == "set anew"
    assert await lease(store, await kept(store), NOW)


async def test_nor_is_what_was_set_after_that_was_removed(store: Store) -> None:
    await store.write(partial(credentials.put, row=ROW))
    before = await kept(store)
    await lease(store, before, NOW)
    await store.write(partial(credentials.remove, tenant=TENANT, name="things"))
    await store.write(partial(credentials.put, row=replace(ROW, sealed="set anew")))

    assert not await renew(store, before, "sealed 2")
    assert (await kept(store)).sealed == "set anew"


async def test_a_refresh_that_is_refused_leaves_what_was_sealed_anew(store: Store) -> None:
    await store.write(partial(credentials.put, row=ROW))
    before = await kept(store)
    await lease(store, before, NOW)
    await store.write(partial(credentials.reseal, sealed_anew=lambda *_: "sealed by another key"))
    refuse = partial(credentials.renew, row=before, now=NOW + 1, standing="refused")

    assert await store.write(partial(refuse, expires_at=0.0, reason="invalid_grant"))
    after = await kept(store)
    assert (after.sealed, after.standing) == ("sealed by another key", "refused")


async def test_what_is_renewed_while_all_is_sealed_anew_stays_renewed(store: Store) -> None:
    others = [replace(ROW, id="other"), replace(ROW, tenant="other")]
    for row in (ROW, *others):
        await store.write(partial(credentials.put, row=row))

    def work(c: Any) -> int:
        def anew(sealed: str, tenant: str, name: str) -> str | None:
            if (tenant, name) == (TENANT, "things"):  # another process is just writing it
                row = credentials.get(c, tenant, name)
                assert row is not None
                credentials.renew(c, row, NOW, sealed="renewed")
            return None if tenant == "other" else f"{sealed} anew"

        return credentials.reseal(c, anew)

    changed = await store.write(work)

    assert changed == 1
    assert [(await kept(store, row)).sealed for row in (ROW, *others)] == [
        "renewed", "sealed 1 anew", "sealed 1",
    ]  # fmt: skip


async def test_thousands_are_sealed_anew_bit_by_bit_each_of_them_once(store: Store) -> None:
    count = 2 * TOGETHER + 10
    names = [(tenant, f"c{number:04}") for tenant in ("main", "other") for number in range(count)]
    rows = [replace(ROW, tenant=tenant, id=name, sealed="old") for tenant, name in names]
    await store.write(lambda c: [credentials.put(c, each) for each in rows])
    counts: list[int] = []
    place = credentials.FIRST
    while place is not None:
        some = partial(credentials.reseal_some, sealed_anew=lambda s, *_: s + " anew", after=place)
        changed, place = await store.write(some)
        counts.append(changed)
    whole = await store.write(partial(credentials.reseal, sealed_anew=lambda s, *_: s + " twice"))
    found = {each.sealed for each in await store.read(credentials.listed)}

    assert max(counts) <= TOGETHER
    assert (sum(counts), whole) == (len(names), len(names))
    assert found == {"old anew twice"}


async def test_an_answer_to_a_consent_is_taken_once_and_in_time(store: Store) -> None:
    take = partial(credentials.take_consent, state_hash="state")
    await store.write(partial(credentials.begin, row=CONSENT, now=NOW))
    late = await store.write(partial(take, now=NOW + 600))
    first, again = [await store.write(partial(take, now=NOW + 599)) for _ in range(2)]

    assert (late, first, again) == (None, CONSENT, None)


@pytest.mark.parametrize(("after_s", "is_open"), [(599.0, True), (600.0, False)])
async def test_a_link_is_opened_in_time_and_the_newest_browser_counts(
    store: Store, after_s: float, is_open: bool
) -> None:
    await store.write(partial(credentials.begin, row=CONSENT, now=NOW))
    opened = partial(
        credentials.opened, ticket_hash="ticket", now=NOW + after_s,
        state_hash="second state", browser_hash="second", sealed="second",
    )  # fmt: skip
    bound = await store.write(opened)
    states = ["state", "second state"]
    found = [
        await store.write(partial(credentials.take_consent, state_hash=each, now=NOW + 1))
        for each in states
    ]

    assert bound is is_open
    assert [each is not None for each in found] == [not is_open, is_open]


async def test_with_a_credential_goes_what_was_begun_for_it_and_for_no_other(store: Store) -> None:
    for row in (ROW, replace(ROW, tenant="other")):
        await store.write(partial(credentials.put, row=row))
    consents = [
        CONSENT,
        replace(CONSENT, ticket_hash="t2", state_hash="s2", credential="other"),
        replace(CONSENT, ticket_hash="t3", state_hash="s3", tenant="other"),
    ]
    for each in consents:
        await store.write(partial(credentials.begin, row=each, now=NOW))
    gone = await store.write(partial(credentials.remove, tenant=TENANT, name="things"))
    left = [
        await store.read(partial(credentials.consent_of_ticket, ticket_hash=each, now=NOW))
        for each in ("ticket", "t2", "t3")
    ]
    names = await store.read(credentials.listed)

    assert gone
    assert left == [None, *consents[1:]]
    assert [row.tenant for row in names] == ["other"]


async def test_what_was_done_is_told_to_its_tenant_alone_the_newest_first(store: Store) -> None:
    for tenant, act, at in (
        (TENANT, "set", NOW),
        (TENANT, "removed", NOW + 1),
        ("other", "x", NOW),
    ):
        await store.write(
            partial(
                credentials.audit, tenant=tenant, by="ann", act=act, subject="things", now=at, n=1
            )
        )
    told = await store.read(partial(credentials.audited, tenant=TENANT, subject="things"))

    assert [(each.act, each.by, each.at, each.detail) for each in told] == [
        ("removed", "ann", NOW + 1, {"n": 1}),
        ("set", "ann", NOW, {"n": 1}),
    ]
