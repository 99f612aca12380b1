"""Language models behind one protocol; each provider's package stays in its own file."""
