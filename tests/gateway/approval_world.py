"""One gateway over a real store, its HTTP application in process, a clock that is passed in, and a
bank that notes what really happened: what sequences of decisions are played on."""

import asyncio
import json
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from pydantic import JsonValue
from sqlalchemy import Connection, update

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.http import Transport
from connectors.redact import Redactor
from connectors.registry import Registry
from connectors.spec import ActionSpec, CallContext, Principal
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.dispatch.local import LocalDispatcher
from executor.run.machine import Machine
from executor.store import approvals, journal, waking
from executor.store.drives import Due
from executor.store.store import Store
from executor.store.tables import events
from gateway.admission import Admission
from gateway.allowance import Allowances
from gateway.app import create_app
from gateway.auth import create_key
from gateway.cipher import KeyRing
from gateway.connecting import Returns
from gateway.credentials import Credentials
from gateway.material import Seals
from gateway.notices import Notices
from gateway.offering import Offerings
from gateway.routes.approvals import shown
from gateway.settings import Allowance, Settings
from gateway.wiring import Gateway
from planner.search import Search

T = TypeVar("T")
SEAL = b"seal-of-the-sequences"
BEGIN = 1_700_000_000.0
EXPIRES_S = 100
SETTLES_S = 20.0
PEOPLE = {
    "requester": frozenset({"requester", "approver"}),
    "first": frozenset({"approver"}),
    "second": frozenset({"approver"}),
    "visitor": frozenset({"requester"}),
}
PAY: dict[str, Any] = {
    "name": "bank.pay",
    "effect": "keyed",
    "idempotency": {"in": "header", "name": "key", "window_s": 3600},
    "egress": False,
    "approval": None,
    "sinks": {"to": "recipient", "amount": "amount"},
    "input_schema": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}},
        "required": ["to", "amount"],
        "additionalProperties": False,
    },
}
READ: dict[str, Any] = {
    "name": "bank.price",
    "effect": "read",
    "egress": False,
    "reads_as": "trusted",
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
    "output_schema": {
        "type": "object",
        "properties": {"price": {"type": "integer"}},
        "required": ["price"],
    },
}
ASKS = """
@id("pays") @approval("approver") @quorum("{quorum}") @expires("100") @message("{message}")
forbid (principal, action, resource == Operation::"bank.pay")
unless {{ context.approvals.contains("approver") }};
"""
PERMIT = "permit (principal, action, resource);"
OTHER = '@id("other") forbid (principal, action == Action::"blind", resource);'
NEVER = '@id("never") forbid (principal, action, resource == Operation::"bank.pay");'


@dataclass(frozen=True)
class Rules:
    """One state of the operator's texts: the text that asks, and whether paying is forbidden."""

    asks: str
    more: str = ""

    @property
    def policy(self) -> Policy:
        return Policy.parse({"all": PERMIT + self.asks + self.more})

    @property
    def forbids(self) -> bool:
        return self.more == NEVER


def rules(quorum: int) -> list[Rules]:
    """As it is; with another policy beside; with another text; and forbidding."""
    asks = ASKS.format(quorum=quorum, message="as it was")
    return [
        Rules(asks),
        Rules(asks, OTHER),
        Rules(ASKS.format(quorum=quorum, message="another text")),
        Rules(asks, NEVER),
    ]


@dataclass(frozen=True)
class Effect:
    """One payment that the bank made."""

    run: str
    step: str
    arguments: dict[str, JsonValue]


class World:
    """Everything that outlives one sequence."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self.now = BEGIN
        self.effects: list[Effect] = []
        self.rules = rules(1)[0]
        self._policies: dict[Rules, Policy] = {}
        self.clients: dict[str, httpx2.AsyncClient] = {}
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @property
    def policy(self) -> Policy:
        if self.rules not in self._policies:
            self._policies[self.rules] = self.rules.policy
        return self._policies[self.rules]

    async def _open(self) -> None:
        self.store = await Store.open(f"sqlite:///{Path(self._folder.name) / 'lamgate.db'}")
        await self._begin_process()
        for name, roles in PEOPLE.items():
            _, key = await create_key(self.store, Principal(name, "main", roles), self.now)
            self.clients[name] = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=self.app),
                base_url="http://gateway",
                headers={"authorization": f"Bearer {key}"},
            )

    async def _begin_process(self) -> None:
        """What a start builds: nothing of it is kept but the store. Alarms ring when told to."""
        notices = Notices()
        machine = Machine(
            store=self.store, call=self._call, policy_of=lambda _: self.policy,
            seal_key=SEAL, key_secret=b"secret", clock=lambda: self.now,
        )  # fmt: skip
        self.dispatcher = LocalDispatcher(self.store, clock=lambda: self.now)
        self.dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
        await self.dispatcher.start()
        assert self.dispatcher._timer is not None
        self.dispatcher._timer.cancel()
        redactor, ring = Redactor(), KeyRing({"own": b"k" * 32}, "own")
        way = Transport(frozenset())
        credentials = Credentials(self.store, Seals(ring, redactor), way, lambda: self.now)
        gateway = Gateway(
            settings=Settings(), store=self.store, registry=Registry({}),
            returns=Returns(None, SEAL, lambda: self.now),
            offerings=self._offerings(Options()),
            policy=self.policy, planners={}, dispatcher=self.dispatcher,
            machine=machine, notices=notices, credentials=credentials, redactor=redactor,
            search=Search(None), allowances=Allowances(Allowance(reads=0, writes=0, concurrency=0)),
            operator_key="", clock=lambda: self.now,
        )  # fmt: skip
        if hasattr(self, "app"):
            self.app.state.gateway = gateway
        else:
            self.app = create_app(gateway)

    def _offerings(self, options: Options) -> Offerings:
        """What may be planned, under the rules of now."""
        catalog = Catalog(ActionSpec.model_validate(each) for each in (PAY, READ))

        def admission(found: Catalog) -> Admission:
            return Admission(
                found, self.policy, SEAL, "approver", Budgets(), lambda: self.now, options=options
            )

        return Offerings(lambda: catalog, None, {}, admission)

    async def _call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """The bank."""
        if action.name == "bank.price":
            return Applied({"price": 20})
        self.effects.append(Effect(context.run, context.step, dict(arguments)))
        return Applied({"paid": True})

    async def settle(self) -> None:
        """Wait until nothing is driven any more."""
        async with asyncio.timeout(SETTLES_S):
            while active := [*self.dispatcher._active.values()]:
                await asyncio.wait(active)

    async def post(self, who: str, path: str, body: Any) -> httpx2.Response:
        answer = await self.clients[who].post(path, json=body)
        await self.settle()
        return answer

    async def start(self, plan: dict[str, Any], *, envelope: bool) -> str:
        """Have a plan accepted under the rules of now, and run it."""
        offerings = self._offerings(Options(envelope=envelope))
        self.app.state.gateway = replace(self.app.state.gateway, offerings=offerings)
        body = {"plan": plan, "request": "pay a 10 and b and c 30"}
        made = await self.post("requester", "/v1/plans", body)
        assert made.status_code == 201, made.text
        begun = await self.post("requester", f"/v1/plans/{made.json()['id']}/runs", {})
        return str(begun.json()["id"])

    async def approvals(self, run: str) -> list[dict[str, Any]]:
        """What the API shows of a run's approvals, read without a request: that is most of them."""
        read = partial(approvals.listed, tenant="main", run=run)
        return [shown(each, []).as_json() for each in await self.store.read(read)]

    async def look(self, run: str) -> None:
        """What a run's alarm does."""
        due = Due("run", "main", run)
        await self.store.write(partial(waking.wake, due=due, now=self.now))
        self.dispatcher.submit(due)
        await self.settle()

    async def restart(self, run: str) -> None:
        """The process ends, and another one takes up what it left."""
        await self._begin_process()
        await self.look(run)

    async def change_price(self, run: str, price: int) -> bool:
        """What a read had said is another value by now, as after a restored backup."""

        def work(c: Connection) -> bool:
            found = [
                each
                for each in journal.read(c, "main", run)
                if each.type == "step.done" and each.data["step"] == "price"
            ]
            for each in found:
                data = each.data | {"result": {"price": price}}
                c.execute(
                    update(events)
                    .where(events.c.tenant == "main", events.c.subject == run)
                    .where(events.c.seq == each.seq)
                    .values(data=json.dumps(data))
                )
            return bool(found)

        return await self.store.write(work)

    def close(self) -> None:
        async def end() -> None:
            for client in self.clients.values():
                await client.aclose()
            await self.store.close()

        self.run(end())
        self.loop.close()
        self._folder.cleanup()
