"""Sources that describe their own tools: what an operator accepted of them becomes actions."""
