"""What a call means that waits for a session, or for the tools, and gets neither."""

from dataclasses import dataclass

import pytest
from connector_cases import answer
from test_mcp_broken_streams import Keeper, Streaming, connected

from connectors.connector import Outcome
from connectors.errors import ConfigurationError, ConnectorError, Kind, Refused, Unavailable
from connectors.mcp import connector
from connectors.spec import JsonObject

STEPS = ("initialize", "tools/list")


@dataclass
class Refusing(Streaming):
    """It has nothing against who asks, and from then on refuses one step before a call."""

    step: str = ""
    no: bytes = b""

    def _answered(self, head: str, request: JsonObject) -> bytes:
        if self.step and request.get("method") == self.step:
            return self.no
        return super()._answered(head, request)


@pytest.fixture(autouse=True)
def _not_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools are looked at before each call, and each tenant has a session of its own."""
    monkeypatch.setattr(connector, "_FRESH_S", -1.0)


async def called(step: str, no: bytes, keeper: Keeper | None = None) -> Outcome | ConnectorError:
    refusing, kept = Refusing(), keeper or Keeper()
    async with connected(refusing, kept) as server:
        refusing.step, refusing.no = step, no
        if keeper is not None:
            keeper.ends = ConfigurationError("the consent was taken back")
        end = await server.call("pay", seconds=3)
    assert refusing.asked == []
    return end


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_wants_to_be_left_alone_is(step: str, status: int) -> None:
    end = await called(step, answer(status, headers={"retry-after": "90"}))

    assert isinstance(end, Unavailable), end
    assert (end.retry_after_s, end.sent, end.status) == (90.0, False, status)


@pytest.mark.parametrize("step", STEPS)
async def test_a_server_that_does_not_let_anybody_in_waits_for_a_credential(step: str) -> None:
    end = await called(step, answer(403))

    assert isinstance(end, Refused), end
    assert (end.kind, end.status) == (Kind.AUTH, 403)


async def test_a_credential_that_is_gone_is_asked_for() -> None:
    end = await called("", b"", Keeper())

    assert isinstance(end, Refused), end
    assert (end.kind, end.message) == (Kind.AUTH, "the consent was taken back")
