"""What admission knows besides the plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.catalog import Catalog
from connectors.spec import JsonObject, Label, Principal
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.expand import Playbooks


@dataclass(frozen=True)
class Inputs:
    """What a plan is given besides the words: a schema, values and their labels by name."""

    schema: JsonObject = field(default_factory=dict)
    values: JsonObject = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)


@dataclass(frozen=True)
class AdmissionContext:
    """All that admission knows besides the plan.

    `policy=None` means that policy is not evaluated (bulk admission without one); the run-time
    check still is. `lift_role` is who may approve made-up or untrusted targets; None: nobody.
    """

    request: str
    inputs: Inputs
    catalog: Catalog
    policy: Policy | None
    principal: Principal
    today: str
    seal_key: bytes
    history: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    lift_role: str | None = "approver"
    budgets: Budgets = field(default_factory=Budgets)
    playbooks: Playbooks = field(default_factory=dict)
