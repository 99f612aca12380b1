"""The operator's words on tools: which are offered, and what each does to the world."""

from connectors.said import Said


class ToolsOverlay(Said):
    """No more than may be said of any source."""
