"""People who ask for tags at one gateway, those who may say yes, and what its policies ask."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from served import Running, until, until_open, until_status

from executor.store import waking
from executor.store.drives import Due

Ruled = Callable[..., Path]
YES = {"decision": "approve", "reason": "checked"}
NO = {"decision": "refuse", "reason": "not this time"}
PERMIT = "permit (principal, action, resource);"
ASKS = """
@id("tags") @approval("approver") @message("tags are looked at")
forbid (principal, action, resource == Operation::"orders.add_tag")
unless { context.approvals.contains("approver") };
"""
ASKS_TOO = ASKS.replace("approver", "finance").replace('"tags"', '"tags-too"')
TWO = ASKS.replace('@approval("approver")', '@approval("approver") @quorum("2")')
SOON = ASKS.replace('@approval("approver")', '@approval("approver") @expires("1")')


class Desk:
    """People at one gateway, who keep their keys when it starts again."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self.running: Running

    async def person(self, name: str, *roles: str) -> httpx2.AsyncClient:
        found = await self.running.person(name, *roles, key=self._keys.get(name))
        self._keys[name] = found.headers["authorization"].removeprefix("Bearer ")
        return found

    async def requester(self) -> httpx2.AsyncClient:
        return await self.person("requester-1", "requester", "approver")

    async def approver(self, number: int = 1) -> httpx2.AsyncClient:
        return await self.person(f"approver-{number}", "approver")

    async def start(self, body: dict[str, Any]) -> str:
        """Submit a plan and run it."""
        person = await self.requester()
        made = await person.post("/v1/plans", json={"plan": body})
        assert made.status_code == 201, made.text
        begun = await person.post(f"/v1/plans/{made.json()['id']}/runs")
        return str(begun.json()["id"])

    async def decide(self, approval: str, body: dict[str, Any] = YES, by: int = 1) -> Any:
        return await (await self.approver(by)).post(f"/v1/approvals/{approval}/decision", json=body)

    async def open(self, run: str) -> Any:
        return (await until_open(await self.approver(), run))[0]

    async def ended(self, run: str) -> Any:
        return await until_status(
            await self.requester(), f"/v1/runs/{run}", "succeeded", "failed", "cancelled"
        )

    async def another(self, run: str, old: str) -> Any:
        """The question that is asked after another one."""
        person, found = await self.approver(), []

        async def asked() -> bool:
            nonlocal found
            rows = (await person.get(f"/v1/approvals?state=open&run={run}")).json()
            found = [each for each in rows if each["id"] != old]
            return bool(found)

        await until(asked, "it is asked anew")
        return found[0]

    async def look_again(self, run: str) -> None:
        """Have a waiting run driven, as its alarm would."""
        due = Due("run", "main", run)
        gateway = self.running.gateway
        await gateway.store.write(partial(waking.wake, due=due, now=gateway.clock()))
        gateway.wake(due)


def tags(mended: Any) -> list[str]:
    """What the orders service itself says."""
    answer = httpx2.get(f"{mended.urls['orders']}/orders/1043", trust_env=False)
    return [*answer.json()["tags"]]
