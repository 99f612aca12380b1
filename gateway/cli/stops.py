"""The kill switch from a terminal: it writes the database itself, whatever the gateway is doing.

With an address it asks that gateway. Without, it needs no answer from anybody: not from a gateway
that is wedged, and none is started, for that would drive what is to be stopped.
"""

import getpass
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.store import ids, keys, stops
from executor.store.beside import is_at_work, write_beside
from executor.store.stops import ALL, StopRow
from executor.store.store import told_of
from gateway.auth import TENANT
from gateway.cli.client import named
from gateway.cli.connect import OR_ASK, Target, connect, settings_of
from gateway.cli.options import AsJson, Config, Key, Reason, Url
from gateway.cli.problem import CliError
from gateway.cli.show import print_json, say

T = TypeVar("T")


def stop(
    reason: Reason,
    connection: Annotated[
        str | None, typer.Option("--connection", help="This one alone; else all of them.")
    ] = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="Everybody's calls, not one tenant's.")
    ] = False,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="This tenant's calls, not those of main.")
    ] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Let no call begin any more, at once."""
    target = Target(config, url, key)
    if tenant is not None and (all_tenants or target.address is not None):
        what = "it goes neither with --all-tenants nor with a gateway's address"
        fix = "Say --config: the database itself is written. Or ask with a key of that tenant."
        raise CliError("bad-option", what, "--tenant", fix)
    if target.address is not None:
        body: JsonObject = {"reason": reason, "tenants": "all" if all_tenants else "own"}
        body |= {} if connection is None else {"connection": connection}
        with connect(target) as client:
            _tell_stopped(client.post("/v1/stops", body), all_tenants=all_tenants, as_json=as_json)
        return
    known = settings_of(config, or_say=OR_ASK).connections
    if connection is not None and connection not in known:
        fix = f"There are: {', '.join(sorted(known)) or 'none'}."
        raise CliError("unknown-connection", f"there is no connection {connection}", fix=fix)
    whose = ALL if all_tenants else tenant or TENANT
    new = ids.new("stop")

    def add(c: Connection, now: float) -> int:
        if tenant is not None and not keys.listed(c, tenant, limit=1):
            fix = "Look at how its keys were made: `lamgate keys create --tenant`."
            raise CliError("bad-option", f"no key is of a tenant {tenant!r}", "--tenant", fix)
        return stops.add(c, StopRow(whose, new, connection or ALL, _who(), reason, now))

    told = {"id": new, "connection": connection, **_written(config, "under_way", add)}
    _tell_stopped(told, all_tenants=all_tenants, tenant=tenant, as_json=as_json)


def resume(
    stop_id: Annotated[str, typer.Argument(help="The stop's id, as `stops` shows it.")],
    reason: Reason,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Lift a stop; what waits for it goes on by itself."""
    target = Target(config, url, key)
    if target.address is not None:
        with connect(target) as client:
            lifted = client.post(f"/v1/stops/{named(stop_id)}/lift", {"reason": reason})
    else:
        lift = partial(_lift, stop_id, reason)
        lifted = {"id": stop_id, **_written(config, "woken", lift)}
    if as_json:
        print_json(lifted)
        return
    say(f"{stop_id} is lifted; {lifted['woken']} that waited for a stop look again")
    _tell_place(lifted)


def list_stops(
    lifted: Annotated[bool, typer.Option("--lifted", help="Also those that were lifted.")] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what is stopped, by whom and why."""
    target = Target(config, url, key)
    if target.address is not None:
        with connect(target) as client:
            found = client.all_things(f"/v1/stops?lifted={str(lifted).lower()}", on="before")
    else:
        rows = _beside(config, lambda c, _: stops.listed(c, None, lifted=lifted))
        found = [row.as_json() | {"tenant": row.tenant or None} for row in rows]
    if as_json:
        print_json([*found])
        return
    for each in found:
        what = each["connection"] or "every connection"
        whose = f", tenant {each['tenant']}" if each.get("tenant") else ""
        whose = ", every tenant" if each["tenants"] == "all" else whose
        say(f"{each['id']}  {what}{whose}, by {each['by']}: {each['reason']}")
        if each["lifted_at"] is not None:
            say(f"  lifted by {each['lifted_by']}: {each['lift_reason']}")
    if not found:
        say("nothing is stopped")


def _beside(config: Config, work: Callable[[Connection, float], T]) -> T:
    return write_beside(settings_of(config, or_say=OR_ASK).database_url, work)


def _written(config: Config, name: str, work: Callable[[Connection, float], int]) -> JsonObject:
    """What a write came to, by this name, and in which database: not the one they meant, perhaps.

    Whether anybody uses that is looked at in the same transaction, so that nothing is left to fail
    once the write is kept.
    """
    url = settings_of(config, or_say=OR_ASK).database_url

    def write(c: Connection, now: float) -> JsonObject:
        at_work = is_at_work(c, url, now)
        return {name: work(c, now), "database": told_of(url), "at_work": at_work}

    return write_beside(url, write)


def _tell_place(told: JsonObject) -> None:
    """Say which database was written, where a command has done that itself."""
    if "database" not in told:
        return
    say(f"written in {told['database']}")
    if not told["at_work"]:
        say("  which nobody uses now: a gateway that was given another --database does not see it")


def _lift(stop_id: str, reason: str, c: Connection, now: float) -> int:
    row = stops.standing(c, None, stop_id)
    if row is None or stops.lift(c, row.tenant, stop_id, _who(), reason, now) is None:
        raise CliError("not-found", f"no stop {stop_id} stands", fix="See `lamgate stops`.")
    return stops.count_waiting(c, row.tenant)


def _who() -> str:
    """Who is at the machine: there is no key to know them by."""
    return f"{getpass.getuser()} (at the machine)"


def _tell_stopped(
    told: JsonObject, *, all_tenants: bool, tenant: str | None = None, as_json: bool
) -> None:
    if as_json:
        print_json(told)
        return
    what = told["connection"] or "any connection"
    whose = f", of the tenant {tenant}," if tenant else ""
    whose = ", of every tenant," if all_tenants else whose
    say(
        f"{told['id']}  no call of {what}{whose} begins any more; "
        f"{told['under_way']} under way will end"
    )
    _tell_place(told)
