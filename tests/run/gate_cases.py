"""Policies that ask for approvals, and what is asked of whom."""

from typing import Any

from executor.check.certificate import Options
from executor.run.commands import OpenGate

CONTINUE = Options(on_failure="continue")
LARGE = """
permit (principal, action, resource);
@id("large") @approval("approver") @message("more than ten")
forbid (principal, action, resource) when { context.args has x && context.args.x > 10 }
unless { context.approvals.contains("approver") };
"""
TWO_ROLES = """
permit (principal, action, resource);
@approval("treasurer") forbid (principal, action, resource == Operation::"shop.blind")
unless { context.approvals.contains("treasurer") };
@approval("approver") forbid (principal, action, resource == Operation::"shop.blind")
unless { context.approvals.contains("approver") };
"""


def gates(run: Any) -> dict[str, OpenGate]:
    return {each.step: each for each in run.go() if isinstance(each, OpenGate)}
