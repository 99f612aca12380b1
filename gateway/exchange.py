"""The database's own secret is exchanged for another one, while nobody uses the database.

What hangs on it, and what becomes of that:

    seals of accepted plans         sealed anew, where the old seal is right; others stay broken
    keys of calls that were begun   stay: each is in its intent, and is read from there
    keys of calls that come         made with the new one; nobody has sent them yet
    credentials, consents           sealed anew, where the database's own key seals them
    addresses that browsers return  those under way (a day at most) are not known any more
    to from a connected account
    API keys, digests, approvals    are made without it

All of it is one transaction, which also notes the new check value. Beside a file the new secret is
written to a file of its own first, and put in place of the old one last. A process that dies in
between leaves both, and the check value says which of them the database is sealed with.
"""

import getpass
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from connectors.errors import ConfigurationError
from executor.check.admit import resealed
from executor.store import credentials, facts, plans
from executor.store.alone import alone
from executor.store.store import backend_of, database_path
from gateway.auth import TENANT
from gateway.cipher import CannotOpenError, KeyRing
from gateway.keyring import (
    OWN_KEY,
    Secrets,
    load_secrets,
    new_secret_file,
    of_reference,
    parsed,
    ring_of,
    secret_file,
)
from gateway.private import read_private, write_private
from gateway.settings import Settings


@dataclass(frozen=True)
class Exchanged:
    """What was sealed anew; `broken` are plans whose seal was not right before."""

    plans: int = 0
    broken: tuple[str, ...] = ()
    credentials: int = 0
    unopened: tuple[str, ...] = ()
    was_before: bool = False


def exchange_beside(settings: Settings, text: str) -> Exchanged:
    """Give a file the secret that is in a text; where that was begun before, end it."""
    file = database_path(settings.database_url)
    if file is None:
        raise ConfigurationError("database.url: a server; say where the new secret is")
    with alone(settings.database_url) as c:
        old, held = load_secrets(file, is_exchanged=True), facts.fact(c, facts.SECRET)
        begun = read_private(new_secret_file(file))
        if begun is not None and held == parsed(begun).check:
            _put_in_place(file, begun)
            return Exchanged(was_before=True)
        _require_old(c, old)  # before what was begun is written over
        write_private(new_secret_file(file), text, replace=True)
        try:
            done = _exchange(c, settings, old, parsed(text))
        except BaseException:
            new_secret_file(file).unlink()
            raise
        c.commit()
        _put_in_place(file, text)
    return done


def exchange_on_server(settings: Settings, reference: str) -> Exchanged:
    """Give a server's database the secret that a reference stands for."""
    old, new = of_reference(settings.database.secret), of_reference(reference)
    if old.check == new.check:
        raise ConfigurationError(f"{reference} is the secret that there is already")
    with alone(settings.database_url) as c:
        if facts.fact(c, facts.SECRET) == new.check:
            return Exchanged(was_before=True)
        _require_old(c, old)
        done = _exchange(c, settings, old, new)
        c.commit()
    return done


def _require_old(c: Connection, old: Secrets) -> None:
    if facts.fact(c, facts.SECRET) not in (None, old.check):
        raise ConfigurationError(
            "database.secret is another one than this database was begun with: what is sealed "
            "with that cannot be sealed anew"
        )


def _exchange(c: Connection, settings: Settings, old: Secrets, new: Secrets) -> Exchanged:
    count, broken = plans.reseal(c, partial(resealed, seal_key=old.seal, new_key=new.seal))
    before, after, unopened = ring_of(settings, old), ring_of(settings, new), list[str]()
    anew = partial(_sealed_anew, before, after, unopened)
    stored = credentials.reseal(c, anew)
    credentials.reseal_consents(c, partial(_sealed_anew, before, after, []))
    facts.note(c, facts.SECRET, new.check)
    by, now = f"{getpass.getuser()} (at the machine)", backend_of(settings.database_url).now(c).time
    told = {"plans": count, "credentials": stored}
    credentials.audit(c, TENANT, by, "secret.exchanged", OWN_KEY, now, **told)
    return Exchanged(count, broken, stored, tuple(unopened))


def _sealed_anew(
    before: KeyRing, after: KeyRing, unopened: list[str], sealed: str, tenant: str, name: str
) -> str | None:
    """As the ring seals it now, if the ring before can open it."""
    try:
        return after.seal(before.open(sealed, tenant, name), tenant, name)
    except CannotOpenError:
        unopened.append(f"{tenant}/{name}")
        return None


def _put_in_place(database: Path, text: str) -> None:
    write_private(secret_file(database), text, replace=True)
    new_secret_file(database).unlink()
