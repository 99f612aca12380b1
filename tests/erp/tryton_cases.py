"""The connector over a Tryton, real or played, and one call of it."""

import base64
import itertools
import time
from dataclasses import dataclass
from typing import Any

from connector_cases import Outside, end_of, host_of

from connectors.builtin.tryton.connector import connect
from connectors.connector import Applied, Connector, Outcome
from connectors.credentials import Vault
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings, Given
from connectors.spec import JsonObject
from connectors.validate import first_flaw

_COUNT = itertools.count()
LOGIN = base64.b64encode(b"admin:of-nobody-who-signs-in").decode()


def connected(url: str, key: str, outside: Outside) -> Connector:
    """A connector on the connection `erp`."""
    secrets = {"env:KEY": key, "env:LOGIN": LOGIN}
    vault = Vault(lambda reference: secrets[reference])
    given = Given(outside.to(host_of(url)).carrying(vault), vault.stand_in)
    options: JsonObject = {"database": "erp", "rpc_credential": "env:LOGIN"}
    settings = ConnectionSettings("erp", "tryton", url, "env:KEY", options)
    return connect(settings, given)


def fresh() -> str:
    """A key that no call has had."""
    return f"KEY{time.time_ns()}{next(_COUNT)}"


@dataclass
class Desk:
    """The connector, and how its calls end."""

    connector: Connector

    async def end(
        self, name: str, arguments: JsonObject, *, key: str = "", attempt: int = 1
    ) -> Outcome | ConnectorError:
        """How a call ends."""
        actions = {each.name: each for each in await self.connector.actions()}
        action = actions[f"erp.{name}"]
        return await end_of(
            self.connector, action, arguments, key=key or fresh(), seconds=60, attempt=attempt
        )

    async def do(self, name: str, arguments: JsonObject, *, key: str = "") -> Any:
        """What a call that succeeds gives, which is what its action promises."""
        end = await self.end(name, arguments, key=key)
        assert isinstance(end, Applied), f"{name}: {end!r}"
        schema = {f"erp.{name}": each for each in ()}
        for action in await self.connector.actions():
            if action.name == f"erp.{name}":
                schema = action.output_schema or {}
        assert first_flaw(schema, end.output) is None
        return end.output
