"""The shop as workers see it, and runs whose effects its own ledger counts."""

import json
import time
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Connection

from connectors.catalog import Catalog
from connectors.credentials import Vault
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import build
from connectors.registry import Registry
from connectors.spec import JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit, to_row
from executor.check.cedar import Policy
from executor.check.parse import plan_of
from executor.plan.model import Plan
from executor.store import plans, runs
from executor.store.drives import Due

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "examples" / "shop" / "overlays" / "orders.yaml"
TENANT, KEY = "main", b"k" * 32
PERMIT_ALL = "permit (principal, action, resource);"
POISON = "poison"
STEPS = ("first", "second", "third")


def connections(url: str, overlay: Path = OVERLAY) -> list[JsonObject]:
    """How the shop is connected."""
    return [
        {"name": "orders", "connector": "openapi", "base_url": url, "overlay": str(overlay)},
    ]


def registry_of(
    connections: list[dict[str, Any]], allow_hosts: list[str]
) -> tuple[Registry, Transport]:
    """The connectors of a process."""
    transport = Transport(frozenset(allow_hosts))
    settings = [
        ConnectionSettings(
            name=each["name"],
            connector=each["connector"],
            base_url=each["base_url"],
            credential=None,
            options={"overlay": each["overlay"]},
        )
        for each in connections
    ]
    return build(settings, Vault(), lambda _: transport), transport


def accepted(
    catalog: Catalog, mark: str, action: str = "orders.create_note", field: str = "text"
) -> Accepted:
    """A plan of three writes, one after the other, each with a mark of its own."""
    steps = [
        {
            "id": step,
            "action": action,
            "args": [
                {"value": "1043", "to": "order_id"},
                {"value": f"{step} {mark}", "to": field},
            ],
            **({"after": [before]} if before else {}),
        }
        for before, step in zip((None, *STEPS), STEPS, strict=False)
    ]
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan), plan
    verdict = admit(
        plan,
        AdmissionContext(
            request=f"Note {', '.join(f'{step} {mark}' for step in STEPS)} at order 1043.",
            inputs=Inputs(),
            catalog=catalog,
            policy=Policy.parse({"all.cedar": PERMIT_ALL}),
            principal=Principal("requester-1", TENANT, frozenset({"requester"})),
            today="2026-11-25",
            seal_key=KEY,
            lift_role=None,
        ),
    )
    assert isinstance(verdict, Accepted), verdict
    return verdict


def create(c: Connection, run: str, plan: Accepted, now: float) -> Due:
    """A queued run."""
    by = plan.principal.id
    row = plans.PlanRow(TENANT, f"pln_{run}", plan.digest, by, None, to_row(plan), now)
    plans.add(c, row)
    runs.create(c, tenant=TENANT, run=run, plan=f"pln_{run}", requester=by, now=now)
    return Due("run", TENANT, run)


def effects(url: str, mark: str) -> dict[str, int]:
    """How often each effect with this mark happened, by the shop's own ledger."""
    found: dict[str, int] = {}
    for row in http("GET", f"{url}/ledger"):
        for said in row["body"].values():
            if isinstance(said, str) and said.endswith(mark):
                found[said] = found.get(said, 0) + 1
    return found


def http(method: str, url: str, body: Any = None) -> Any:
    with httpx2.Client(trust_env=False, timeout=30, verify=False) as client:
        answer = client.request(method, url, json=body)
    assert answer.is_success, answer.text
    return json.loads(answer.content) if answer.content else None


def within(seconds: float) -> float:
    return time.monotonic() + seconds
