"""The connectors that ship with the gateway, by the name that `[connections.NAME]` calls them."""

from typing import Final

from connectors.builtin import sendgrid, slack, smtp_factory
from connectors.builtin.caldav import factory as caldav
from connectors.builtin.payments.charges import minor_units, stripe
from connectors.builtin.payments.decimals import decimals
from connectors.builtin.payments.paypal import paypal
from connectors.builtin.roundup import factory as roundup
from connectors.builtin.scim import factory as scim
from connectors.builtin.sql import factory as sql
from connectors.builtin.tryton import connector as tryton
from connectors.composio import factory as composio
from connectors.factories import Factory
from connectors.langchain import factory as langchain
from connectors.mcp import factory as mcp
from connectors.openapi import factory as openapi

BUILT_IN: Final[dict[str, Factory]] = {
    "openapi": openapi.connect,
    "stripe": stripe.connect,
    "paypal": paypal.connect,
    "payments-minor": minor_units.connect,
    "payments-decimal": decimals.connect,
    "smtp": smtp_factory.connect,
    "sendgrid": sendgrid.connect,
    "slack": slack.connect,
    "roundup": roundup.connect,
    "scim": scim.connect,
    "caldav": caldav.connect,
    "mcp": mcp.connect,
    "langchain": langchain.connect,
    "sql": sql.connect,
    "composio": composio.connect,
    "composio-core": composio.connect_core,
    "tryton": tryton.connect,
}
