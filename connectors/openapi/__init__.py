"""Any OpenAPI document (3.0, 3.1; JSON bodies) as a source of actions."""

from connectors.openapi.call import OpenApiConnector
from connectors.openapi.extract import Operation, Skipped, extract
from connectors.openapi.load import Source, load_document
from connectors.openapi.overlay import Overlay, load_overlay

__all__ = [
    "OpenApiConnector",
    "Operation",
    "Overlay",
    "Skipped",
    "Source",
    "extract",
    "load_document",
    "load_overlay",
]
