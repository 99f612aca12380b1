"""Unified models: one schema for a kind of service, whatever vendor is behind the connection."""
