"""LangChain's tools as connectors: functions of an installed package, run in this process."""
