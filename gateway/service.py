"""The story of a request, on one screen.

    words ─▶ propose ─▶ plan ─▶ admit ─▶ Accepted + certificate ─▶ run ─▶ calls ─▶ journal ─▶ trace
                ▲                 │ Rejected: every reason, at most twice
                └─────────────────┘
    Questions go to the person instead of guesses; what nobody can do is said so.

A request is received (`desk.receive`), and from then on it is driven: this file turns its words
into a plan, a question or a reason why not. An accepted plan becomes a run in the same
transaction, and the run is driven by the machine (`executor/run/machine.py`). Whatever is killed
in between is taken up from the store: a request is planned again, a run goes on from its journal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from executor.check.admit import Accepted, Inputs, Questions, Rejected, Verdict, admit
from executor.check.certificate import Options
from executor.plan.model import Plan
from executor.store.drives import Due
from executor.store.errors import FencedError
from gateway.desk import Desk, Taken
from gateway.offering import Offering
from planner.models.base import ModelError
from planner.request import Planner, PlanRequest, Proposal


@dataclass(frozen=True)
class Service:
    """Everything that the story needs; `wiring.py` builds it."""

    desk: Desk
    offering_of: Callable[[], Offering]
    planner_of: Callable[[str | None], Planner]

    async def handle(self, due: Due, driver: str) -> None:
        """Drive one request: its words become a run, a question, or a reason why not."""
        taken = await self.desk.take(due, driver)
        if taken is None:
            return
        try:
            proposal = await self.propose(taken)
        except ModelError as error:
            await self.desk.planner_failed(taken, error)
            return
        except FencedError:
            return  # whoever took over plans it
        match proposal.verdict:
            case Accepted() as accepted:
                await self.desk.accept(taken, accepted, proposal)
            case Questions() as questions:
                await self.desk.ask_or_refuse(taken, questions, proposal)
            case Rejected():
                await self.desk.reject(taken, proposal)

    async def propose(self, taken: Taken) -> Proposal:
        """Have a plan written and admitted; every refused draft goes back with every reason."""
        request, now = taken.request, self.offering_of()

        def check(plan: Plan, inputs: Inputs, options: Options) -> Verdict:
            return admit(plan, now.admission.context(request, inputs, options))

        words = PlanRequest(
            text=request.text,
            catalog=now.offered,
            today=now.admission.today(),
            answers=request.answers,
            inputs=request.inputs,
        )
        return await self.planner_of(request.model).propose(words, check, taken.note_draft)
