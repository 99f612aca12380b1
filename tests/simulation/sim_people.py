"""The people around a run: they approve and refuse, cancel, and find out what happened."""

import asyncio
import random
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from sim_judge import must
from sim_mistaken import Words
from sim_odd import A_DAY_S
from sim_plans import APPROVERS, SETTLE_S, TIMEOUT_S, restored
from sim_wide import PEOPLE
from sqlalchemy import Connection

from connectors.spec import Principal
from executor.check.envelope import Envelope
from executor.check.narrowing import Narrowing, NewBand, NewStep
from executor.run import events as e
from executor.run.perform import new_event
from executor.run.state import Place, undoes
from executor.store import approvals, attempts, journal, rulings, runs, stops, waking
from executor.store.approvals import ApprovalRow
from executor.store.stops import StopRow
from gateway.problems import ProblemError
from gateway.reconcile import learn, resolve
from gateway.schemas import Evidence, Reconcile

if TYPE_CHECKING:
    from sim_history import History

_IN_DOUBT = f"SELECT step, iteration FROM attempts WHERE run = ? AND state IN {attempts.OPEN[1:]}"
_KEYS_IN_DOUBT = "SELECT DISTINCT key FROM attempts WHERE run = ? AND state = 'uncertain'"
_UNFIT = ("type-mismatch",)  # of what did not happen nobody has the service's answer
_SAID_YES = "SELECT DISTINCT principal FROM decisions WHERE decision = 'approve'"
_SAID_NO = "SELECT approval FROM decisions WHERE decision = 'refuse'"
_CANCELLED = "SELECT 1 FROM events WHERE subject = ? AND type = 'cancel.requested'"
_OPEN_QUESTIONS = (
    "SELECT id FROM approvals WHERE run = ? AND state = 'open' ORDER BY created_at, step"
)


class People:
    """Who answers, and what they said."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._rng = history.rng
        self._do = history.database.do
        self._tenant, self._run = history.tenant, history.run
        self.are_eager = self._rng.random() < 0.3
        self.hear_soon = self._rng.random() < 0.15
        if history.world.mistaken is not None:
            self.are_eager, self.hear_soon = self._rng.random() < 0.5, True
        self.regret = random.Random(f"regret {history.seed}").random() < 0.3
        self._twofold = random.Random(f"twofold {history.seed}")
        self.are_approvers_there = self._rng.random() < 0.9
        self.cancelled_at: int | None = None  # the number of the first event that says so
        self.refused: set[str] = set()
        self.wants_back = False
        self.stopped: list[tuple[float, float, str]] = []  # no call between these events, of what

    def forget(self) -> None:
        """What the database has lost of their words was not said."""
        self.refused &= {name for (name,) in self._history.database.ask(_SAID_NO)}
        if not self._history.ask(_CANCELLED):
            self.cancelled_at, self.wants_back = None, False

    def answer(self, *, willing: bool) -> None:
        """Say what is asked and tell what happened, as far as anybody can know."""
        if self.are_approvers_there:
            self.decide(willing=willing)
        self.find_out()
        if self._history.rules:
            self.reply()

    def decide(self, *, willing: bool = False) -> None:
        """Somebody says yes or no to what is asked."""
        asked = self._history.ask(_OPEN_QUESTIONS)
        if not asked:
            return

        def work(c: Connection) -> None:
            if self._history.rules and self._twofold.random() < 0.8:
                said = {by for (by,) in self._history.database.ask(_SAID_YES)}
                for by in (each for each in PEOPLE[2:] if each.id in said):
                    self._rule(c, asked[0][0], by, willing=True)  # once more, in another role
            for (name,) in asked:
                self._decide_on(c, name, willing)

        self._do(work)
        self._history.ring()

    def _decide_on(self, c: Connection, name: str, willing: bool) -> None:
        if self._history.rules:
            for by in self._rng.sample(PEOPLE, len(PEOPLE) if willing else 1):
                self._rule(c, name, by, willing)
            return
        says = "approve" if willing or self._rng.random() < 0.8 else "refuse"
        by, now = replace(self._rng.choice(APPROVERS), tenant=self._tenant), self._history.wall()
        ruling = rulings.decide(c, self._tenant, name, by, says, "seen", now)
        if says == "refuse" and ruling != "repeated":
            self.refused.add(name)
        if ruling in ("granted", "refused"):
            kind = e.ApprovalGranted if ruling == "granted" else e.ApprovalRefused
            event = kind(approval=name, by=by.id, reason="seen")
            journal.append(c, self._tenant, self._run, [new_event(event)], now)
            waking.wake(c, self._history.due, now)

    def _rule(self, c: Connection, name: str, by: Principal, willing: bool) -> None:
        """What one person of several says, who may narrow what is asked of a whole plan."""
        says = "approve" if willing or self._rng.random() < 0.8 else "refuse"
        row, now = approvals.get(c, self._tenant, name), self._history.wall()
        assert row is not None
        narrowing = self._narrowing(row) if says == "approve" else None
        ruling = rulings.decide(c, self._tenant, name, by, says, "seen", now, narrowing)
        if narrowing is not None and ruling in ("granted", "counted"):
            self._history.services.reached["narrowed"] += 1
        self._history.services.reached[f"ruling {ruling}"] += 1
        if ruling == "refused":
            self.refused.add(name)
            refused = e.ApprovalRefused(approval=name, by=by.id, reason="seen")
            journal.append(c, self._tenant, self._run, [new_event(refused)], now)
        if ruling == "counted":
            counted = e.ApprovalCounted(approval=name, by=by.id, reason="seen")
            journal.append(c, self._tenant, self._run, [new_event(counted)], now)
        if ruling == "granted":
            event = e.ApprovalGranted(approval=name, by=by.id, reason="seen")
            if row.kind == "envelope":
                after = approvals.get(c, self._tenant, name)
                assert after is not None
                left = Envelope.model_validate(after.arguments)
                event = event.model_copy(update={"envelope": left})
            journal.append(c, self._tenant, self._run, [new_event(event)], now)

    def _narrowing(self, row: ApprovalRow) -> Narrowing | None:
        if row.kind != "envelope" or self._rng.random() < 0.4:
            return None
        step = self._rng.choice(Envelope.model_validate(row.arguments).steps)
        without = [step.step] if len(row.steps) > 1 and self._rng.random() < 0.3 else []
        if without:
            return Narrowing(without=without)
        new = {}
        for band in step.bands:
            if band.kind == "open":
                new[band.at] = NewBand(any=True) if not band.sinks else NewBand(values=[1, 2])
            elif band.kind == "values" and self._rng.random() < 0.3:
                new[band.at] = NewBand(values=[*band.values[:1]])
        calls = max(1, step.calls - self._rng.choice([0, 0, 1]))
        return Narrowing(steps={step.step: NewStep(calls=calls, bands=new)})

    def reply(self) -> None:
        """Somebody answers what calls ask."""
        state = self._history.state()
        for place, calls in sorted(state.attempts.items()):
            last = calls[-1]
            if last.resolved is not None or last.ended is None or last.ended.asks is None:
                continue
            if self._history.status() in runs.ENDED:
                continue
            said = self._rng.choice([{"action": "accept", "content": {}}, {"action": "decline"}])
            found = Reconcile.model_validate({
                "step": place[0], "iteration": place[1], "resolution": "answer", "reason": "seen",
                "answers": {"sure": said},
            })  # fmt: skip
            row, now = self._history.row(), self._history.wall()
            told = partial(resolve, restored=restored, run=row, by="operator", found=found)
            self._do(partial(told, now=now))
            self._history.ring()

    def find_out(self) -> None:
        """Somebody looks at the service, once all must have come through, and says what is so."""
        history, odd = self._history, self._history.world.odd
        open_ones = history.ask(_IN_DOUBT)
        if not open_ones:
            return
        all_is_through = history.now() - TIMEOUT_S - SETTLE_S
        if history.world.mistaken is not None and self._rng.random() < 0.5:
            all_is_through = history.now()  # they do not wait for that
        if any(history.services.last_seen(place) <= all_is_through for place in open_ones):
            state = history.state()
            for place in sorted(state.doubts):
                doubt = state.in_doubt(place)
                is_told = doubt is not None and doubt.is_uncertain and doubt.ended is not None
                if odd and odd.are_people_slow and doubt and doubt.at > history.wall() - A_DAY_S:
                    continue
                if is_told and history.services.last_seen(place) <= all_is_through:
                    self._tell(place)
            history.ring()

    def _tell(self, place: Place) -> None:
        history = self._history
        happened = bool(history.services.effects.get(place))
        if history.services.errs("a person is wrong", place):
            happened = not happened
        says = "happened" if happened else self._rng.choice(["send_again", "abandon"])
        says = "abandon" if self._rng.random() < 0.1 else says
        if says == "send_again" and (history.status() in runs.ENDED or self._is_over(place)):
            return
        services = history.services
        found = Reconcile.model_validate(
            {"step": place[0], "iteration": place[1], "resolution": says, "reason": "seen"}
            | ({"output": services.known(place)} if says == "happened" else {})
        )
        row, now = history.row(), history.wall()
        resolved = partial(resolve, restored=restored, run=row, by="operator", found=found, now=now)
        try:
            self._do(resolved)
        except ProblemError as error:
            must(error.code in ("too-early", *(_UNFIT if services.mistaken else ())), str(error))
            services.reached["told too early"] += 1

    def _is_over(self, place: Place) -> bool:
        """Whether nothing is sent there any more."""
        state, of = self._history.state(), undoes(place)
        undoing = state.undos.get(of or place)
        if of is None:
            return state.has_ended(place[0]) or undoing is not None
        return undoing is not None and undoing.ended is not None

    def hear(self) -> None:
        """A service says by itself what became of a call, or that it knows of none."""
        services = self._history.services
        doubtful = [key for (key,) in self._history.ask(_KEYS_IN_DOUBT)]
        keys = [each for each in doubtful or services.places if each in services.places]
        if not keys:
            return
        key = self._rng.choice(keys)
        place = services.places[key]
        happened = bool(services.effects.get(place))
        if services.errs("a service tells what is not so", place):
            happened = not happened
        elif not happened and services.may_still_happen(key):
            return  # it says so
        tells = happened and self._rng.random() < 0.8
        if happened and not tells:
            services.unheard.add(place)
        found = Evidence.model_validate(
            {"key": key, "happened": happened, "source": "shop"}
            | ({"output": services.known(place)} if tells else {})
        )
        now = self._history.wall()
        told = partial(
            learn, restored=restored, tenant=self._tenant, by="shop", found=found, now=now
        )
        try:
            _, is_news = self._do(told)
        except ProblemError:
            services.reached["told too early"] += 1
        else:
            services.reached["told by the service"] += is_news
            state, words = self._history.state(), Words(self._history.stored)
            is_known = is_news or words.of(place) in ("yes", None) or not words.was_sent(place)
            is_known = is_known or state.is_undone(place)  # be it that it was safe to undo in doubt
            must(is_known or not happened, f"a service says that {place} happened, in vain")
            self._history.ring()

    def say_more(self) -> None:
        """Some say something after the end, too."""
        for _ in range(self._rng.randrange(6)):
            self._rng.choice([self.hear, self.find_out])()

    def stop(self) -> None:
        """An operator stops all calls, or those of the shop, for a while."""
        world = self._history.world
        if world.stopped_by:
            return
        connection = self._rng.choice(["", "shop"])
        name, now = f"stop{len(self.stopped)}", world.wall()
        world.stopped_by = self._tenant, name
        row = StopRow(self._tenant, name, connection, "operator", "to look", now)
        self._do(partial(stops.add, row=row))
        for each in self._of_tenant:
            each.people.stopped.append((each.events(), inf, connection))
        world.services.reached["stopped"] += 1
        asyncio.get_running_loop().call_later(self._rng.choice([0.1, 5.0, 60.0]), self.lift)

    @property
    def _of_tenant(self) -> "list[History]":
        return [each for each in self._history.world.lives if each.tenant == self._tenant]

    def lift(self) -> None:
        """The stop is over, if there is one."""
        world = self._history.world
        if not world.stopped_by:
            return
        tenant, name = world.stopped_by
        if tenant != self._tenant:
            return  # it is none of theirs
        world.stopped_by = None
        now, why = world.wall(), "seen"
        self._do(lambda c: stops.lift(c, tenant, name, "operator", why, now))
        for each in self._of_tenant:
            since, _, connection = each.people.stopped[-1]
            each.people.stopped[-1] = (since, each.events(), connection)
            each.ring()

    def is_past_a_pivot(self) -> bool:
        """Whether what nothing takes back has happened, and nobody has cancelled."""
        acted = {place[0] for place, found in self._history.services.effects.items() if found}
        pivots = (step.id for step in self._history.accepted.plan.steps if "pivot" in step.action)
        return self.cancelled_at is None and not acted.isdisjoint(pivots)

    def cancel(self, mode: str = "") -> None:
        """Somebody wants no more of it, or all of it back."""
        mode, now = mode or self._rng.choice(["stop", "undo"]), self._history.wall()

        def work(c: Connection) -> bool:
            if not runs.request_cancel(c, self._tenant, self._run, mode, now):
                return False
            event = e.CancelRequested(by="requester", mode=mode)
            (stored,) = journal.append(c, self._tenant, self._run, [new_event(event)], now)
            self.cancelled_at = min(self.cancelled_at or stored.seq, stored.seq)
            return True

        if self._do(work):
            self.wants_back = self.wants_back or mode == "undo"
            self._history.say("cancelled")
            self._history.ring()
