"""A connection as an operator configures it, and its calls by their operation's name."""

from connector_cases import Outside, end_of, registry_of

from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings
from connectors.spec import JsonObject
from connectors.testing.trial import new_key


class Desk:
    """One connection, called `own`, whose secret is `env:OWN`."""

    def __init__(
        self,
        outside: Outside,
        vendor: str,
        base_url: str,
        secret: str,
        options: JsonObject | None = None,
    ) -> None:
        settings = ConnectionSettings("own", vendor, base_url, "env:OWN", options or {})
        host = base_url.partition("://")[2].partition("/")[0]
        self._registry = registry_of(outside.to(host), settings, OWN=secret)

    async def __call__(
        self, name: str, arguments: JsonObject, key: str = "", attempt: int = 1
    ) -> Outcome | ConnectorError:
        """How a call ends; without a key it has one that no service has seen."""
        action = (await self._registry.load()).get(f"own.{name}")
        assert action is not None
        key = key or new_key()
        return await end_of(self._registry, action, arguments, key=key, attempt=attempt)


def output(end: object) -> JsonObject:
    """What a call gave that was made."""
    assert isinstance(end, Applied), vars(end)
    assert isinstance(end.output, dict)
    return end.output
