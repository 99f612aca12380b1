"""The keys that seals and idempotency keys are made with: the same wherever the database is used.

Beside a SQLite file they are a file, made at the first start. A database on a server is used from
many machines, so there they come from the environment, and the database knows a check value.
Without them no stored plan could be trusted, and a call that is repeated after a crash would
carry another idempotency key than the first time: so they are never made anew.
"""

import hashlib
import hmac
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from connectors.credentials import Vault, secret_of
from connectors.errors import ConfigurationError
from executor.store import facts
from executor.store.store import Store, database_path
from gateway.cipher import KeyRing
from gateway.private import operator_key_file, read_private, write_private
from gateway.settings import Settings

_log = logging.getLogger("lamgate.credentials")
SERVED = Path("var/lamgate")  # what a machine keeps of a database on a server begins so
OWN_KEY = "database"
_FORM = "128 hexadecimal digits"
_MAKE = "python -c 'import secrets; print(secrets.token_hex(64))'"


@dataclass(frozen=True)
class Secrets:
    """The keys of one database."""

    seal: bytes = field(repr=False)
    idempotency: bytes = field(repr=False)

    @property
    def check(self) -> str:
        """Tells whether two processes have the same keys, and nothing of them."""
        return hmac.new(self.seal + self.idempotency, b"lamgate secret", hashlib.sha256).hexdigest()


def secrets_of(settings: Settings) -> Secrets:
    """Find the keys of the database that is set; raises `ConfigurationError`."""
    file = database_path(settings.database_url)
    return load_secrets(file) if file is not None else of_reference(settings.database.secret)


def ring_of(settings: Settings, keys: Secrets) -> KeyRing:
    """The master keys of stored credentials: one made from the database's keys, and those set.

    The last one that is set seals; without any, the database's own does.
    """
    found = {OWN_KEY: hmac.new(keys.seal, b"lamgate credentials", hashlib.sha256).digest()}
    for name, reference in settings.credentials.keys.items():
        if name == OWN_KEY:
            raise ConfigurationError(f"credentials.keys.{OWN_KEY}: the name of the database's own")
        try:
            found[name] = bytes.fromhex(secret_of(reference))
        except (ConfigurationError, ValueError) as error:
            why = error if isinstance(error, ConfigurationError) else "not hexadecimal"
            raise ConfigurationError(f"credentials.keys.{name}: {why}") from None
    return KeyRing(found, list(found)[-1])


def learn_known(settings: Settings, keys: Secrets, vault: Vault) -> None:
    """Hide from now on what is known without anybody's using it."""
    vault.redactor.learn((keys.seal + keys.idempotency).hex())
    vault.redactor.learn(urlsplit(settings.database_url).password or "")
    named = [each.api_key for each in settings.models.values()]
    for reference in (*named, *settings.credentials.keys.values()):
        if reference is not None and reference.startswith("env:"):
            with suppress(ConfigurationError):  # whoever needs it is told
                vault.secret_of(reference)
    for name, each in settings.connections.items():
        if each.credential is not None and each.credential.startswith("env:"):
            try:
                vault.secret_of(each.credential)
            except ConfigurationError as error:
                _log.warning("connections.%s.credential: %s; its calls wait for it", name, error)


async def require_same(store: Store, keys: Secrets) -> None:
    """Raise `ConfigurationError` unless the database was begun with these keys."""
    held = await store.write(partial(facts.settled, name=facts.SECRET, value=keys.check))
    if not hmac.compare_digest(held, keys.check):
        raise ConfigurationError(
            "database.secret is another one than this database was begun with: give every "
            "process the first one, or begin with another database"
        )


def secret_file(database: Path) -> Path:
    """Where the keys of a database in a file are."""
    return database.with_name(database.name + ".secret")


def new_secret_file(database: Path) -> Path:
    """Where the keys that come after them are, while they are exchanged."""
    return database.with_name(database.name + ".secret.new")


def load_secrets(database: Path, *, is_exchanged: bool = False) -> Secrets:
    """Read the keys beside a file; the first start makes them, before the database."""
    file = secret_file(database)
    if new_secret_file(database).exists() and not is_exchanged:
        raise ConfigurationError(
            f"an exchange of {file} was cut off: `lamgate secret exchange` brings it to its end"
        )
    text = read_private(file)
    if text is None:
        if database.exists():
            raise ConfigurationError(
                f"{file} is missing: {database} cannot be used without it. Restore it from the "
                "backup, or begin with another database."
            )
        write_private(file, secrets.token_hex(64), replace=False)
        text = read_private(file) or ""
    return parsed(text, f"{file} is damaged: it holds {_FORM}")


def key_file_of(settings: Settings) -> Path:
    """Where the key of whoever owns this machine is kept."""
    file = database_path(settings.database_url)
    return operator_key_file(file or settings.at(SERVED))


def of_reference(reference: str) -> Secrets:
    """The keys that a reference stands for; raises `ConfigurationError`."""
    try:
        text = secret_of(reference)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"database.secret: {error}. A database on a server needs {_FORM}, the same for every "
            f"process; {_MAKE} makes some"
        ) from error
    return parsed(text.strip(), f"database.secret ({reference}) holds no {_FORM}")


def parsed(text: str, flaw: str = "no keys") -> Secrets:
    """The keys that a text holds; raises `ConfigurationError`."""
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if len(content) != 64:
        raise ConfigurationError(flaw)
    return Secrets(content[:32], content[32:])
