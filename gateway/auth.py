"""Who asks: an API key says the principal, its tenant and its roles, and nothing else does."""

import asyncio
import secrets
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from sqlalchemy import Connection

from connectors.spec import Principal
from executor.store import ids, keys
from executor.store.store import Store
from gateway.allowance import STATE, Allowances
from gateway.private import read_private, write_private
from gateway.problems import ProblemError

PREFIX = "lam_"
TENANT = "main"
OPERATOR = Principal("operator", TENANT, frozenset({"operator", "requester"}))
# Tells OpenAPI of the header; what it holds is judged below, with problems of our own.
_SCHEME = HTTPBearer(auto_error=False, description="An API key, lam_...")


async def principal_of(request: Request, _: Annotated[object, Depends(_SCHEME)]) -> Principal:
    """Read the caller from `Authorization: Bearer lam_...`, whose key may ask; raises a problem."""
    told = request.headers.getlist("authorization")
    scheme, _, secret = ("" if len(told) != 1 else told[0]).partition(" ")
    if scheme.lower() != "bearer" or not secret.strip().startswith(PREFIX):
        raise _unknown("send Authorization: Bearer lam_..., once")
    store: Store = request.app.state.gateway.store
    found = await store.read(partial(keys.find, secret=secret.strip()))
    if found is None:
        raise _unknown("this key is not known")
    if found.revoked_at is not None:
        raise _revoked()
    request.state.key = found.id  # for what goes on for longer than a key may last
    allowances: Allowances = request.app.state.gateway.allowances
    taken = allowances.take(found.id, request.method)
    setattr(request.state, STATE, taken)
    if taken.refusal is not None:
        raise taken.refusal
    return found.principal


Caller = Annotated[Principal, Depends(principal_of)]


def need_good(c: Connection, request: Request, caller: Principal) -> None:
    """Raise a problem if the caller's key was revoked since: a body may be long in coming."""
    if not keys.is_good(c, caller.tenant, request.state.key):
        raise _revoked()


def need_role(caller: Principal, *roles: str) -> None:
    """Raise a problem unless the caller has one of the roles."""
    if not caller.roles & set(roles):
        raise ProblemError(
            403, "role-missing", f"this needs the role {' or '.join(roles)}", "Use another key."
        )


def need_operator_of_all(caller: Principal, otherwise: str) -> None:
    """Raise a problem unless the caller is an operator of the gateway's own tenant.

    It is for what concerns everybody, whatever their tenant.
    """
    need_role(caller, "operator")
    if caller.tenant != TENANT:
        detail = f"this needs an operator of the tenant {TENANT}"
        raise ProblemError(403, "role-missing", detail, otherwise)


def need_self(caller: Principal, owner: str, what: str) -> None:
    """Raise a problem unless the caller is who it belongs to: words count as their owner's."""
    if caller.id != owner:
        raise ProblemError(403, "not-yours", f"{what} belongs to {owner}", "Use their key.")


def new_secret() -> str:
    """A new key's secret: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def add_key(c: Connection, principal: Principal, secret: str, now: float) -> str:
    """Keep a key inside a transaction; returns its id."""
    key = ids.new("key")
    keys.add(c, key, principal, secret, now)
    return key


async def create_key(store: Store, principal: Principal, now: float) -> tuple[str, str]:
    """Make a key; returns its id and its secret, which is shown this once."""
    secret = new_secret()
    return await store.write(lambda c: add_key(c, principal, secret, now)), secret


async def operator_key(store: Store, file: Path, now: float) -> str:
    """The key of whoever owns the machine: made at the first start, readable by them alone.

    A key that was revoked stays revoked; removing its file makes the next start create another.
    """
    kept = await asyncio.to_thread(read_key_file, file)
    if kept is not None and await store.read(partial(keys.find, secret=kept)) is not None:
        return kept
    _, secret = await create_key(store, OPERATOR, now)
    await asyncio.to_thread(partial(write_private, file, secret, replace=True))
    return secret


def read_key_file(file: Path) -> str | None:
    """The key in a file, or None if there is none."""
    return read_private(file)


def _revoked() -> ProblemError:
    return _unknown("this key was revoked", "key-revoked")


def _unknown(detail: str, code: str = "unauthenticated") -> ProblemError:
    return ProblemError(
        401, code, detail, "Use a valid key.", headers={"www-authenticate": "Bearer"}
    )
