"""What Tryton offers by JSON-RPC alone: wizards. One hands payments on, one credits an invoice.

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
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.outcome import in_doubt
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import value_at

_BEFORE, _AFTER = ("approved",), ("processing", "succeeded", "failed")
_REFUNDED: JsonObject = {"start": {"with_refund": True, "with_refund_allowed": True}}
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
        await self._run("payment", "account.payment.process", "process", {}, spec, given, context)
        return await self._settled("payment", _AFTER, spec, given, context)

    async def credit(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Take a customer's posted invoice back: a credit note balances it, and it is cancelled."""
        await self._run(
            "invoice", "account.invoice.credit", "credit", _REFUNDED, spec, given, context
        )
        return await self._settled("invoice", ("cancelled",), spec, given, context)

    async def _run(
        self,
        record: str,
        wizard: str,
        state: str,
        data: JsonObject,
        spec: ActionSpec,
        given: JsonObject,
        context: CallContext,
    ) -> None:
        """Begin a wizard on a record, which changes nothing, and have it act."""
        number, company = number_of(given["id"]), self.records.tryton.company
        where: JsonObject = {"company": company, "companies": [company]}
        model = self.records.tables[record].model
        where |= {"active_model": model, "active_id": number, "active_ids": [number]}
        begun = await self._say(as_read(spec), context, f"wizard.{wizard}.create", where)
        session = value_at(begun, "0")
        await self._say(spec, context, f"wizard.{wizard}.execute", session, data, state, where)

    async def _settled(
        self,
        record: str,
        after: tuple[str, ...],
        spec: ActionSpec,
        given: JsonObject,
        context: CallContext,
    ) -> Outcome:
        """What a wizard has made of a record."""
        try:
            state, found = await self._standing(spec, given, context, record)
        except (ConnectorError, ConfigurationError) as error:
            kind = error.kind if isinstance(error, ConnectorError) else Kind.AUTH
            raise Uncertain(f"it was done, as far as is known, but: {error}", kind=kind) from error
        if state not in after:
            raise Refused(f"the {record} is {state!r} still", kind=Kind.CONFLICT)
        return Applied(found)

    async def _standing(
        self, spec: ActionSpec, given: JsonObject, context: CallContext, record: str = "payment"
    ) -> tuple[JsonValue, JsonValue]:
        outcome = await self.records.read(record, spec, given, context)
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
