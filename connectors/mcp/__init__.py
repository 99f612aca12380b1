"""MCP servers as connectors: whose tools are on offer once an operator has reviewed them."""
