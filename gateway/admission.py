"""What admission is told of a request: who asks, in which words, under which policy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.catalog import Catalog
from connectors.spec import Principal
from executor.check.admit import AdmissionContext, Inputs
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.expand import Playbooks
from executor.store.requests import RequestRow


@dataclass(frozen=True)
class Admission:
    """Builds the context of every admission of this gateway."""

    catalog: Catalog
    policy: Policy
    seal_key: bytes = field(repr=False)
    lift_role: str | None
    budgets: Budgets
    clock: Callable[[], float]
    playbooks: Playbooks = field(default_factory=dict)
    options: Options = field(default_factory=Options)  # of plans that bring none of their own

    def today(self) -> str:
        """The date that plans are told, fixed when they are admitted (UTC)."""
        return datetime.fromtimestamp(self.clock(), UTC).date().isoformat()

    def context(self, request: RequestRow, inputs: Inputs, options: Options) -> AdmissionContext:
        """For a plan that a planner wrote."""
        return self.of(
            request.principal, request.text, tuple(request.answers.values()), inputs, options
        )

    def of(
        self,
        principal: Principal,
        text: str,
        history: tuple[str, ...],
        inputs: Inputs,
        options: Options | None = None,
    ) -> AdmissionContext:
        """For any plan, whoever wrote it."""
        return AdmissionContext(
            request=text,
            inputs=inputs,
            catalog=self.catalog,
            policy=self.policy,
            principal=principal,
            today=self.today(),
            seal_key=self.seal_key,
            history=history,
            options=self.options if options in (None, Options()) else options,
            lift_role=self.lift_role,
            budgets=self.budgets,
            playbooks=self.playbooks,
        )
