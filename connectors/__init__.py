"""Where abstract actions become concrete calls: catalogue, connectors, and the one way out."""
