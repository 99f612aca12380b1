"""The same run here, on LangGraph and on DBOS."""
