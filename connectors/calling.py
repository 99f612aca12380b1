"""One call of any connector: in time, one set of errors, the answer checked, no secret in it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from connectors.body import json_flaw, with_integers
from connectors.connector import Connector, Outcome, Pending, Unreadable
from connectors.credentials import TENANT, Vault
from connectors.dates import wait_s
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Evidence,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.outcome import in_doubt
from connectors.quota import HEARD
from connectors.spec import ActionSpec, CallContext
from connectors.validate import output_flaw

# A connector that keeps the deadline itself knows more about how a call ended than we do.
_GRACE_S = 0.5
_MOST_SAID = 2_000


@dataclass(frozen=True)
class Calling:
    """How every connector is called; with a vault, no secret comes back out of it."""

    vault: Vault | None

    async def call(
        self,
        connector: Connector,
        action: ActionSpec,
        arguments: Mapping[str, JsonValue],
        context: CallContext,
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`, whatever the plugin raises."""
        given = {name: with_integers(each) for name, each in arguments.items()}
        token, heard = TENANT.set(context.tenant), HEARD.set(context.heard)
        try:
            return self._checked(action, await _called(connector, action, given, context))
        except ConnectorError as error:
            # What it was raised from may tell anything, also a secret.
            raise self._retold(action, error) from None
        finally:
            HEARD.reset(heard)
            TENANT.reset(token)

    def hidden(self, text: str) -> str:
        """The text without secrets."""
        return self.vault.hide(text) if self.vault else text

    def _said(self, words: object) -> str:
        """What a stranger says as it can be kept: no secret, whole characters, not endless."""
        text = words if isinstance(words, str) else str(words)
        short = self.hidden(text)[:_MOST_SAID].replace("\0", " ")  # which not every database keeps
        return short.encode("utf-8", "replace").decode()

    def _said_if_any(self, words: object) -> str | None:
        return None if words is None or words == "" else self._said(words)

    def _checked(self, action: ActionSpec, outcome: Outcome) -> Outcome:
        """An output that is not what the action promises is unusable: never passed on."""
        if not isinstance(outcome, Outcome):
            told = f"the connector gave a {type(outcome).__name__}, which is no outcome"
            raise in_doubt(action, told, Kind.INTERNAL)
        request_id = self._said_if_any(outcome.request_id)
        match outcome:
            case Unreadable(reason=reason):
                return Unreadable(self._said(reason), request_id)
            case Pending(handle=handle, asks=asks, retry_after_s=after_s):
                shown = None if json_flaw(asks) else self._hidden_in(asks)
                told = shown if isinstance(shown, dict) else None
                # Nothing can be asked by a part of a handle.
                given: object = handle
                asked_by = self.hidden(given) if isinstance(given, str) else ""
                handle = "" if json_flaw(asked_by) else asked_by
                return Pending(handle, request_id, told, wait_s(after_s))
        flaw = json_flaw(outcome.output)
        if flaw is None:
            # Before the schema looks at it: what is wrong with it is told with some of it.
            output = self._hidden_in(outcome.output)
            flaw = output_flaw(action, output)
            if flaw is None:
                after_s = wait_s(outcome.retry_after_s)
                return replace(outcome, output=output, request_id=request_id, retry_after_s=after_s)
        reason = self._said(f"the answer is not what the action promises: {flaw[:500]}")
        if action.is_write:
            return Unreadable(reason, request_id)
        raise Refused(reason, kind=Kind.INTERNAL, request_id=request_id)

    def _hidden_in(self, value: JsonValue) -> JsonValue:
        return self.vault.hide_in(value) if self.vault else value

    def _retold(self, action: ActionSpec, error: ConnectorError) -> ConnectorError:
        """The same failure without secrets; a read is never in doubt, for it has no effect."""
        message = self._said(error.message)
        said, status = cast(object, error.kind), cast(object, error.status)
        kind = said if isinstance(said, Kind) else Kind.INTERNAL
        told: Evidence = {
            "vendor_code": self._said_if_any(error.vendor_code),
            "request_id": self._said_if_any(error.request_id),
            "status": status if type(status) is int else None,
        }
        if isinstance(error, Refused):
            return Refused(message, kind=kind, link=self._said_if_any(error.link), **told)
        after = wait_s(error.retry_after_s) if isinstance(error, Unavailable | Uncertain) else None
        if isinstance(error, Unavailable) or not action.is_write:
            sent = error.sent is not False if isinstance(error, Unavailable) else True
            return Unavailable(message, kind=kind, retry_after_s=after, sent=sent, **told)
        return Uncertain(message, kind=kind, retry_after_s=after, **told)


async def _called(
    connector: Connector,
    action: ActionSpec,
    arguments: Mapping[str, JsonValue],
    context: CallContext,
) -> Outcome:
    """Call with a limit of time, and turn what no connector should raise into what it means."""
    left = context.deadline - time.monotonic()
    if left <= 0:
        raise Unavailable("the deadline had passed before the call", kind=Kind.CANCELLED)
    try:
        async with asyncio.timeout(left + _GRACE_S):
            return await connector.call(action, arguments, context)
    except ConnectorError:
        raise
    except ConfigurationError as error:
        raise Refused(str(error), kind=Kind.AUTH) from error
    except TimeoutError as error:
        raise in_doubt(action, "no answer before the deadline", Kind.TIMEOUT) from error
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is whoever waits for the call that is cancelled
        # Its words may be anything, also arguments or secrets: only its kind is passed on.
        message = f"the connector {connector.name!r} failed with {type(error).__name__}"
        raise in_doubt(action, message, Kind.INTERNAL) from error
