"""Calls of playbooks are replaced by the playbooks' steps before anything else is looked at.

One call after the other, those first that refer to no other call, until none is left. Every rule
of admission sees the steps alone; what it says of them is told at the call that they come from.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from executor.check.answer import Nothing
from executor.check.call import Call
from executor.check.handed import Wrong
from executor.check.playbook import PREFIX, Playbook
from executor.check.violation import Violation
from executor.plan.graph import data_sources, skippable
from executor.plan.model import RESERVED_IDS, Arg, Plan, Step
from executor.plan.refs import parse_ref, refs_of_plan
from executor.plan.rewrite import with_args, with_refs

MOST_DEPTH = 4
MOST_GUESSES = 5  # looking for names that look alike takes time, also for what is hopeless
_INDEXED = re.compile(r"/(args|after)/(\d+)(.*)", re.DOTALL)
Playbooks = Mapping[str, Playbook]
"""By the name under which each is called, `playbooks.NAME`."""


@dataclass(frozen=True)
class Placed:
    """A step, and where it comes from in the plan as it was written."""

    step: Step
    top: int  # its own place there, or that of the call
    of: str  # its own id there, or that of the call
    args: tuple[int | None, ...]  # for each argument its place there
    after: tuple[int | None, ...]
    chain: tuple[str, ...] = ()  # the playbooks around it, the outermost first

    def told(self, violation: Violation, rest: str) -> Violation:
        """The violation at the place where somebody can repair it; `rest` is below the step."""
        at, indexed = f"/steps/{self.top}", _INDEXED.fullmatch(rest)
        if indexed is None:
            at += "" if self.chain else rest
        else:
            member, index, below = indexed[1], int(indexed[2]), indexed[3]
            origins = self.args if member == "args" else self.after
            origin = origins[index] if index < len(origins) else None
            at += "" if origin is None else f"/{member}/{origin}{below}"
        if not self.chain:
            return replace(violation, at=at)
        where = f"in {self.step.id}" + (f" at {rest[1:]}" if rest else "")
        return replace(violation, at=at, step=self.of, message=f"{where}: {violation.message}")


@dataclass(frozen=True)
class Expansion:
    """A plan without calls of playbooks, and how to speak of it to whoever wrote the calls."""

    plan: Plan
    used: Mapping[str, str] = field(default_factory=dict)  # digests of the playbooks by name
    violations: tuple[Violation, ...] = ()
    _placed: tuple[Placed, ...] = ()  # none where nothing was called, and every place is its own
    _answer: tuple[int, ...] = ()
    _gone: frozenset[str] = frozenset()  # the ids of the calls that were replaced
    # Of those that were not: known names like theirs.
    _wrong: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    def told(self, found: Iterable[Violation]) -> tuple[Violation, ...]:
        """Violations of the expanded plan, each at its place in the plan as it was written."""
        uses = refs_of_plan(self.plan) if self._gone else ()
        lost = {use.at for _, use in uses if use.ref.root in self._gone}
        kept = (each for each in found if each.at not in lost)
        every = (*self.violations, *(told for each in kept if (told := self._told(each))))
        return tuple(dict.fromkeys(every))

    def _told(self, violation: Violation) -> Violation | None:
        if not self._placed:
            return violation
        head, _, rest = violation.at.removeprefix("/").partition("/")
        place, slash, below = rest.partition("/")
        if head == "answer" and place.isdigit():
            return replace(violation, at=f"/answer/{self._answer[int(place)]}{slash}{below}")
        if not place.isdigit():
            return violation
        placed = self._placed[int(place)]
        if violation.code == "unknown-action" and placed.step.id in self._wrong:
            names = self._wrong[placed.step.id]
            if names is None:
                return None  # what is wrong with the call is told already
            violation = replace(violation, candidates=names)
        return placed.told(violation, f"{slash}{below}")


def expand(plan: Plan, playbooks: Playbooks, most_steps: int) -> Expansion:
    """Replace every call; stops growing once there are more than `most_steps` steps."""
    if not any(step.action.startswith(PREFIX) for step in plan.steps):
        return Expansion(plan)
    work = _Work(plan, playbooks)
    while len(work.placed) <= most_steps and (place := work.next_call()) is not None:
        work.replace(place)
    return work.done()


class _Work:
    """A plan on the way: what is left of calls, and what became of those that were replaced."""

    def __init__(self, plan: Plan, playbooks: Playbooks) -> None:
        self._plan = plan
        self._playbooks = playbooks
        self.placed = [
            Placed(step, place, step.id, (*range(len(step.args)),), (*range(len(step.after)),))
            for place, step in enumerate(plan.steps)
        ]
        self._answer = [*zip(plan.answer, range(len(plan.answer)), strict=True)]
        self._used: dict[str, Playbook] = {}
        self._violations: list[Violation] = []
        self._gone = set[str]()
        unknown = [
            step
            for step in plan.steps
            if step.action.startswith(PREFIX) and step.action not in playbooks
        ]
        names = {
            name: tuple(difflib.get_close_matches(name, playbooks, cutoff=0.4))
            for name in islice(dict.fromkeys(step.action for step in unknown), MOST_GUESSES)
        }
        self._wrong: dict[str, tuple[str, ...] | None] = {
            step.id: names.get(step.action, ()) for step in unknown
        }

    def next_call(self) -> int | None:
        """The place of a call, of one that refers to no other where there is one."""
        calls = {
            each.step.id: place
            for place, each in enumerate(self.placed)
            if each.step.action in self._playbooks and each.step.id not in self._wrong
        }
        free = (
            place
            for place in calls.values()
            if not data_sources(self.placed[place].step) & calls.keys()
        )
        return next(free, next(iter(calls.values()), None))

    def replace(self, place: int) -> None:
        """Put the playbook's steps in the place of the call, and lead its references to them."""
        placed = self.placed[place]
        step, playbook = placed.step, self._playbooks[placed.step.action]
        if self._may_not_stand(placed, playbook):
            self._wrong[step.id] = None
            return
        call = Call(step, playbook, skippable(each.step for each in self.placed))
        if call.wrong:
            for each in call.wrong:
                self._say(placed, each)
            self._wrong[step.id] = None
            return
        self._used[playbook.name] = playbook
        self._gone.add(step.id)
        others = [self._led(each, call) for each in self.placed if each is not placed]
        self._answer = [
            (changed, origin)
            for arg, origin in self._answer
            for changed in self._led_answer(call, arg, origin)
        ]
        inner = [
            Placed(
                each, placed.top, placed.of,
                tuple(None if i is None else placed.args[i] for i in origins),
                (None,) * len(each.after), (*placed.chain, playbook.name),
            )
            for each, origins in call.steps()
        ]  # fmt: skip
        # A call that refers to itself does so in its own steps, too: there it is a circle.
        led = [self._led(each, call) for each in inner]
        self.placed = [*others[:place], *led, *others[place:]]

    def done(self) -> Expansion:
        """What came out."""
        assumptions = (
            each for playbook in self._used.values() for each in playbook.plan.assumptions
        )
        plan = self._plan.model_copy(
            update={
                "steps": tuple(each.step for each in self.placed),
                "answer": tuple(arg for arg, _ in self._answer),
                "assumptions": (*self._plan.assumptions, *assumptions),
            }
        )
        return Expansion(
            plan if self._used else self._plan,
            {name: each.digest for name, each in self._used.items()},
            tuple(self._violations),
            tuple(self.placed),
            tuple(origin for _, origin in self._answer),
            frozenset(self._gone),
            self._wrong,
        )

    def _say(self, placed: Placed, wrong: Wrong) -> None:
        violation = Violation(
            wrong.code, wrong.at, wrong.message, placed.step.id, wrong.candidates, wrong.fix
        )
        self._violations.append(placed.told(violation, wrong.at))

    def _may_not_stand(self, placed: Placed, playbook: Playbook) -> bool:
        """Whether something stands in the way of the call itself."""
        step = placed.step
        if playbook.name in placed.chain or len(placed.chain) == MOST_DEPTH:
            path = " calls ".join((*placed.chain, playbook.name))
            is_circle = playbook.name in placed.chain
            why = "a playbook never calls itself" if is_circle else f"at most {MOST_DEPTH} deep"
            self._say(
                placed,
                Wrong("playbook-cycle", "/action", f"{path}: {why}", (), "Call another action."),
            )
            return True
        if step.each is not None:
            message = f"{step.action} is called once: a call of a playbook has no `each`"
            fix = "Let the playbook take the list, and go through it inside."
            self._say(placed, Wrong("unknown-argument", "/each", message, (), fix))
            return True
        for other in self.placed:
            if other.step.id.startswith(f"{step.id}."):
                return True  # which is told of the other's id
        ids = [each.step.id for each in self.placed]
        return step.id in RESERVED_IDS or ids.count(step.id) > 1  # which is told of the ids

    def _led(self, placed: Placed, call: Call) -> Placed:
        """Another step, with its references to the call led to where the answer comes from."""
        step, args, origins = placed.step, list[Arg](), list[int | None]()
        for index, arg in enumerate(step.args):
            found = call.answer.led(arg, in_answer=False)
            if isinstance(found, Nothing):
                self._say(placed, _nothing(call, found.text, f"/args/{index}{found.at}"))
                found = (arg,)
            args += found
            origins += [placed.args[index]] * len(found)
        after: dict[str, int | None] = {}
        for name, origin in zip(step.after, placed.after, strict=True):
            for each in call.last_steps() if name == call.step.id else (name,):
                after.setdefault(each, origin)

        def lead(text: str, at: str) -> str:
            return self._only(call, text, placed, at)

        changed_step = with_refs(step, lead)
        return replace(
            placed,
            step=with_args(changed_step, args, after),
            args=tuple(origins),
            after=tuple(after.values()),
        )

    def _led_answer(self, call: Call, arg: Arg, origin: int) -> tuple[Arg, ...]:
        found = call.answer.led(arg, in_answer=True)
        if not isinstance(found, Nothing):
            return found
        wrong = _nothing(call, found.text, f"/answer/{origin}{found.at}")
        self._violations.append(
            Violation(wrong.code, wrong.at, wrong.message, None, wrong.candidates, wrong.fix)
        )
        return (arg,)

    def _only(self, call: Call, text: str, placed: Placed, at: str) -> str:
        """A reference led on where one thing must be."""
        ref = parse_ref(text)
        led = call.answer.lead(ref.tokens) if ref.root == call.step.id else text
        if led is None:
            self._say(placed, _nothing(call, text, at))
        return text if led is None else led


def _nothing(call: Call, text: str, at: str) -> Wrong:
    parts = call.answer.parts()
    there = f"there are {', '.join(parts)}" if parts else "it answers nothing"
    message = f"{call.playbook.name} answers nothing single at {text}: {there}"
    return Wrong("unknown-path", at, message, parts, "Refer to an entry of the playbook's answer.")
