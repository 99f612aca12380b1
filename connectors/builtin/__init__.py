"""Connectors that ship with the gateway."""
