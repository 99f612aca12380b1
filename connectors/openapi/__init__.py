"""Any OpenAPI document (2.0, 3.0, 3.1) as a source of actions."""

from connectors.openapi.call import OpenApiConnector
from connectors.openapi.load import Source
from connectors.openapi.overlay import Overlay

__all__ = ["OpenApiConnector", "Overlay", "Source"]
