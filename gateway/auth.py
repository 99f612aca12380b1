"""Who asks: an API key says the principal, its tenant and its roles, and nothing else does."""

import asyncio
import secrets
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from connectors.spec import Principal
from executor.store import ids, keys
from executor.store.store import Store
from gateway.problems import ProblemError

PREFIX = "lam_"
TENANT = "main"
OPERATOR = Principal("operator", TENANT, frozenset({"operator", "requester"}))


async def principal_of(request: Request) -> Principal:
    """Read the caller from `Authorization: Bearer lam_...`; raises a problem."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(PREFIX):
        raise _unknown("send Authorization: Bearer lam_...")
    store: Store = request.app.state.gateway.store
    found = await store.read(partial(keys.find, secret=secret.strip()))
    if found is None:
        raise _unknown("this key is not known")
    if found.revoked_at is not None:
        raise _unknown("this key was revoked", "key-revoked")
    return found.principal


Caller = Annotated[Principal, Depends(principal_of)]


def need_role(caller: Principal, *roles: str) -> None:
    """Raise a problem unless the caller has one of the roles."""
    if not caller.roles & set(roles):
        raise ProblemError(
            403, "role-missing", f"this needs the role {' or '.join(roles)}", "Use another key."
        )


async def create_key(store: Store, principal: Principal, now: float) -> tuple[str, str]:
    """Make a key; returns its id and its secret, which is shown this once."""
    key, secret = ids.new("key"), PREFIX + secrets.token_urlsafe(32)
    await store.write(partial(keys.add, key=key, principal=principal, secret=secret, now=now))
    return key, secret


async def operator_key(store: Store, file: Path, now: float) -> str:
    """The key of whoever owns the machine: made at the first start, readable by them alone."""
    kept = await asyncio.to_thread(read_key_file, file)
    if kept is not None:
        return kept
    _, secret = await create_key(store, OPERATOR, now)
    await asyncio.to_thread(_write_key_file, file, secret)
    return secret


def read_key_file(file: Path) -> str | None:
    """The key in a file, or None if there is no such file."""
    return file.read_text(encoding="ascii").strip() if file.exists() else None


def _write_key_file(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(secret + "\n", encoding="ascii")


def _unknown(detail: str, code: str = "unauthenticated") -> ProblemError:
    return ProblemError(
        401, code, detail, "Use a valid key.", headers={"www-authenticate": "Bearer"}
    )
