"""A gateway for LangChain's agents and chains: `LamgateTool` and `LamgateRunnable`.

A client: nothing of the server is imported, and one key says who asks.
"""

from gateway.langchain.adapter import LamgateRunnable, LamgateTool
from gateway.langchain.story import Handled, LamgateError, Waiting

__all__ = ["Handled", "LamgateError", "LamgateRunnable", "LamgateTool", "Waiting"]
