"""Large values are stored once for a tenant, and are another one's no more than anything else."""

from functools import partial

import pytest
from store_cases import TENANT

from executor.store import blobs
from executor.store.blobs import Blob
from executor.store.store import Store


async def test_a_value_is_there_under_its_digest_for_its_tenant_alone(store: Store) -> None:
    text = '"ümläut"'
    kept = [
        await store.write(partial(blobs.keep, tenant=TENANT, subject="run_a", text=each))
        for each in (text, text)
    ]
    found = [
        await store.read(partial(blobs.text_of, tenant=tenant, digest=kept[0].digest))
        for tenant in (TENANT, "other")
    ]

    assert kept == [Blob(kept[0].digest, len(text.encode()))] * 2
    assert found == [text, None]


async def test_a_value_that_is_gone_is_no_null(store: Store) -> None:
    gone = {"output": Blob("sha256:of-nothing", 40_000)}
    read = partial(blobs.joined, tenant=TENANT, data={"output": None}, large=gone, loaded={})

    with pytest.raises(LookupError, match="sha256:of-nothing"):
        await store.read(read)
