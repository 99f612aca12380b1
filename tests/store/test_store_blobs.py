"""Large values are stored once for a tenant, and are another one's no more than anything else."""

from functools import partial

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
