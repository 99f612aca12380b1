"""One Tryton as one connection: the actions of commerce and of accounting, one write at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import Field, JsonValue

from connectors.api import Api, api_of
from connectors.builtin.tryton import accounting_table, commerce_table
from connectors.builtin.tryton.accounting import Books
from connectors.builtin.tryton.commerce import Sales
from connectors.builtin.tryton.rpc import Wizards
from connectors.builtin.tryton.table import Records
from connectors.builtin.tryton.wire import DIALECT, Tryton
from connectors.connector import Connector, Outcome
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.spec import ActionSpec, CallContext
from connectors.unified.vendor import UnifiedConnector


class TrytonConnector:
    """Several models over one account: whichever offers an action is asked."""

    name = "tryton"

    def __init__(self, connection: str, tryton: Tryton, rpc: Api | None = None) -> None:
        sales, books = commerce_table, accounting_table
        commerce = Records(tryton, sales.TRYTON_COMMERCE, sales.TABLES)
        vendor = books.TRYTON_ACCOUNTING
        if rpc is None:  # then a customer's posted invoice cannot be credited
            vendor = replace(vendor, promises={**vendor.promises, **books.NOT_TAKEN_BACK})
        accounting = Records(tryton, vendor, books.TABLES)
        wizards = None if rpc is None else Wizards(rpc, accounting)
        self._models = (
            UnifiedConnector(commerce.vendor, connection, Sales(commerce).functions()),
            UnifiedConnector(vendor, connection, Books(accounting, wizards).functions()),
        )

    async def actions(self) -> Sequence[ActionSpec]:
        """Those of both models."""
        return tuple([each for model in self._models for each in await model.actions()])

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call what the action's model does."""
        for model in self._models:
            if any(each.name == action.name for each in await model.actions()):
                return await model.call(action, arguments, context)
        raise Refused(f"there is no {action.name}", kind=Kind.NOT_FOUND)


class _Options(Options):
    database: str = Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")
    company: int = Field(default=1, ge=1)
    rpc_credential: str | None = None


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one database of a Tryton server; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    api, rpc = api_of(settings, given, dialect=DIALECT), None
    if options.rpc_credential is not None:
        login = {"Authorization": f"Basic {given.secret_of(options.rpc_credential)}"}
        rpc = replace(api, base_url=f"{api.base_url}/{options.database}/rpc/", headers=login)
    return TrytonConnector(settings.name, Tryton(api, options.database, options.company), rpc)
