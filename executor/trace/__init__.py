"""The trace: what happened, why, and whether the effect happened, in words a person can act on.

It is the journal, rendered. Every step answers three questions: what happened; did its effect
happen; what comes next and who must act.
"""

from executor.trace.explain import state_of, trace, unread
from executor.trace.model import StepTrace, Trace
from executor.trace.render import render_trace

__all__ = ["StepTrace", "Trace", "render_trace", "state_of", "trace", "unread"]
