"""The connectors that ship with the gateway, by the name that `[connections.NAME]` calls them."""

from pkgutil import resolve_name
from typing import Final

from connectors.factories import Factory

# Where each factory is: it is loaded when a connection names it, and few gateways need many.
BUILT_IN: Final[dict[str, str]] = {
    "openapi": "connectors.openapi.factory:connect",
    "stripe": "connectors.builtin.payments.charges:stripe.connect",
    "paypal": "connectors.builtin.payments.paypal:paypal.connect",
    "payments-minor": "connectors.builtin.payments.charges:minor_units.connect",
    "payments-decimal": "connectors.builtin.payments.decimals:decimals.connect",
    "smtp": "connectors.builtin.smtp_factory:connect",
    "sendgrid": "connectors.builtin.sendgrid:connect",
    "slack": "connectors.builtin.slack:connect",
    "roundup": "connectors.builtin.roundup.factory:connect",
    "scim": "connectors.builtin.scim.factory:connect",
    "caldav": "connectors.builtin.caldav.factory:connect",
    "mcp": "connectors.mcp.factory:connect",
    "langchain": "connectors.langchain.factory:connect",
    "sql": "connectors.builtin.sql.factory:connect",
    "composio": "connectors.composio.factory:connect",
    "composio-core": "connectors.composio.factory:connect_core",
    "tryton": "connectors.builtin.tryton.connector:connect",
}


def built_in(name: str) -> Factory:
    """The factory of one of them."""
    found: Factory = resolve_name(BUILT_IN[name])
    return found
