"""Tools of Composio's toolkits as actions: pinned in version and definition, executed once."""
