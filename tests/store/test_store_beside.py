"""What is said of a database by whoever writes it beside its gateway."""

from functools import partial

from executor.store import workers
from executor.store.beside import is_at_work, write_beside
from executor.store.store import Store, told_of


def _is_at_work(url: str) -> bool:
    return write_beside(url, lambda c, now: is_at_work(c, url, now))


async def test_a_file_is_at_work_while_a_process_has_it(file_url: str) -> None:
    store = await Store.open(file_url)
    meanwhile = _is_at_work(file_url)
    await store.close()

    assert (meanwhile, _is_at_work(file_url)) == (True, False)


async def test_a_server_is_at_work_while_the_lease_of_a_process_lasts(server_url: str) -> None:
    await (await Store.open(server_url)).close()
    before = _is_at_work(server_url)
    renew = partial(workers.renew, worker="w", place="here:1", lease_s=60.0)
    write_beside(server_url, lambda c, now: renew(c, now=now))
    meanwhile = _is_at_work(server_url)
    write_beside(server_url, lambda c, now: workers.forget(c, "w", now))

    assert (before, meanwhile, _is_at_work(server_url)) == (False, True, False)


def test_people_are_told_of_a_database_without_its_password() -> None:
    assert told_of("sqlite:////var/lib/it.db") == "/var/lib/it.db"
    assert told_of("postgresql://me:s3cret@host/it") == "postgresql://me:***@host/it"
