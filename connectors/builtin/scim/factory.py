"""A SCIM connection from its settings."""

from connectors.api import api_of
from connectors.builtin.scim.fields import SCIM
from connectors.builtin.scim.provider import Provider
from connectors.connector import Connector
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.outcome import Dialect
from connectors.unified.vendor import UnifiedConnector

_DIALECT = Dialect(code_at=("scimType",), message_at=("detail",))


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one service provider; raises `ConfigurationError`."""
    options_of(settings, Options)  # it has none
    provider = Provider(api_of(settings, given, dialect=_DIALECT))
    return UnifiedConnector(
        SCIM,
        settings.name,
        {
            "user_create": provider.create_user,
            "user_get": provider.get_user,
            "user_list": provider.search_users,
            "user_update": provider.update_user,
            "user_deactivate": provider.deactivate_user,
            "group_create": provider.create_group,
            "group_find": provider.find_group,
            "group_list": provider.search_groups,
            "group_delete": provider.delete_group,
            "member_add": provider.add_member,
            "member_remove": provider.remove_member,
        },
    )
