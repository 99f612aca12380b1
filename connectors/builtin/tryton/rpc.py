"""What Tryton offers by JSON-RPC alone: wizards, of which one hands payments on.

    POST /DATABASE/rpc/ {"id", "method", "params"}, signed in as a person

An error comes with status 200, as `{"error": [NAME, [message, ...]]}`; its transaction is rolled
back before it is said. A wizard that finds nothing to do says nothing of it, so the state of the
record is read before and after.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.api import Api
from connectors.builtin.tryton.table import Records
from connectors.builtin.tryton.wire import as_read, number_of
from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.outcome import in_doubt
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import value_at

_WIZARD = "wizard.account.payment.process"
_BEFORE, _AFTER = ("approved",), ("processing", "succeeded", "failed")
_KINDS: Mapping[str, Kind] = {
    "UserError": Kind.INVALID,
    "UserWarning": Kind.INVALID,
    "LoginException": Kind.AUTH,
    "ConcurrencyException": Kind.UNAVAILABLE,
    "TimeoutException": Kind.UNAVAILABLE,
}


@dataclass(frozen=True)
class Wizards:
    """The JSON-RPC interface of one database, whose base address ends in `/rpc/`."""

    api: Api
    records: Records

    async def process(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Hand an approved payment on; settled by its state, as every move is."""
        state, found = await self._standing(spec, given, context)
        if state in _AFTER and context.attempt > 1:
            return Applied(found, replayed=True)
        if state not in _BEFORE:
            raise Refused(f"a payment that is {state!r} is not handed on", kind=Kind.CONFLICT)
        number = number_of(given["id"])
        company = self.records.tryton.company
        where: JsonObject = {"company": company, "companies": [company]}
        where |= {"active_model": "account.payment", "active_id": number, "active_ids": [number]}
        begun = await self._say(as_read(spec), context, f"{_WIZARD}.create", where)
        wizard = value_at(begun, "0")
        await self._say(spec, context, f"{_WIZARD}.execute", wizard, {}, "process", where)
        try:
            state, found = await self._standing(spec, given, context)
        except ConnectorError as error:
            raise Uncertain(f"it was handed on, but: {error.message}", kind=error.kind) from error
        if state not in _AFTER:
            raise Refused(f"the payment is {state!r} still", kind=Kind.CONFLICT)
        return Applied(found)

    async def _standing(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> tuple[JsonValue, JsonValue]:
        outcome = await self.records.read("payment", spec, given, context)
        found = outcome.output if isinstance(outcome, Applied) else None
        return value_at(found, "raw/state"), found

    async def _say(
        self, spec: ActionSpec, context: CallContext, method: str, *params: JsonValue
    ) -> JsonValue:
        def result(body: JsonValue) -> JsonValue:
            return result_of(spec, body)

        asked: JsonObject = {"id": 1, "method": method, "params": [*params]}
        outcome = await self.api.ask(spec, context, "POST", body=asked, mapped=result)
        return outcome.output if isinstance(outcome, Applied) else None


def result_of(spec: ActionSpec, body: JsonValue) -> JsonValue:
    """The result of an answer of status 200; raises what an error in it means."""
    if not isinstance(body, dict) or not body.keys() & {"result", "error"}:
        raise TypeError("expected a result or an error")
    error = body.get("error")
    if error is None:
        return body.get("result")
    name = str(value_at(error, "0") or "error")
    message = f"{name}: {str(value_at(error, '1/0') or '')[:500]}"
    kind = _KINDS.get(name)
    if kind is None:
        raise in_doubt(spec, message, Kind.INTERNAL)
    if kind is Kind.UNAVAILABLE:
        raise Unavailable(message, kind=kind, sent=True, vendor_code=name)
    raise Refused(message, kind=kind, vendor_code=name)
