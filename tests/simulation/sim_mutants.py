"""Faults in the protocol and in the simulated world: each one has to be noticed.

Run as `python sim_mutants.py NUMBER HISTORIES`: it imports the one module with the fault in it,
plays histories until a promise is broken, and exits with 0 if one was. A fault of the world
breaks no promise: it is noticed because the histories do not come by everything any more.
"""

import importlib.abc
import importlib.util
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One text of one module is another."""

    module: str
    before: str
    after: str
    why: str
    also: tuple[str, str, str] | None = None  # another module, where it guards against the same

    def changes(self, module: str) -> tuple[str, str] | None:
        """What is put for what in a module."""
        if module == self.module:
            return self.before, self.after
        return self.also[1:] if self.also and module == self.also[0] else None


PROTOCOL = (
    Mutant(
        "executor.run.instance",
        "return effect is Effect.IDEMPOTENT or (",
        "return effect in (Effect.IDEMPOTENT, Effect.BLIND) or (",
        "a blind call in doubt is simply made again, and the store lets it",
        ("executor.store.attempts", '_NEVER_TWICE = ("lookup", "blind")', "_NEVER_TWICE = ()"),
    ),
    Mutant(
        "executor.store.attempts",
        '_OVER = ("applied", "resolved_applied", "abandoned")',
        "_OVER = ()",
        "a call begins of which somebody just said that it had happened, whatever has arrived",
        ("executor.store.calls", "if intent.woken not in (None, journal.woken):", "if False:"),
    ),
    Mutant(
        "executor.run.undo",
        "given, result = happened_only(acted, given, applied.output)",
        "result = applied.output",
        "items that did not happen are taken back too",
    ),
    Mutant(
        "executor.run.undo",
        "needs = decision.needs_result or self._has_items(place)",
        "needs = decision.needs_result",
        "items are taken back before it is known which of them happened",
    ),
    Mutant(
        "executor.run.bulk",
        "if action.items is None or not call.is_applied:",
        "if True:",
        "a call that happened for some of its items counts as whole",
    ),
    Mutant(
        "connectors.by_item",
        "if missed and len(missed) == _count(action.items, arguments):",
        "if False:",
        "a call of which no item happened counts as applied",
    ),
    Mutant(
        "executor.run.instance",
        "absent_from=doubt.told_at + self.action.settle_s",
        "absent_from=0.0",
        "a search in vain counts before the effect can be found",
    ),
    Mutant(
        "executor.run.instance",
        "WINDOW_SHARE = 0.8",
        "WINDOW_SHARE = 80.0",
        "a key is trusted after the service has forgotten it",
    ),
    Mutant(
        "executor.run.instance",
        "key = last.intent.key if last else None",
        "key = f'{last.intent.key}{n}' if last else None",
        "every attempt has a key of its own",
    ),
    Mutant(
        "executor.run.ended",
        'may_retry, state = True, "uncertain"',
        'may_retry, state = True, "refused"',
        "no answer counts as a no",
    ),
    Mutant(
        "executor.run.ended",
        'return "applied_unreadable", None',
        'return "refused", None',
        "a yes that cannot be read counts as a no",
    ),
    Mutant(
        "executor.run.reconcile",
        'await self._learn(claim, command, found is not None, "lookup", found)',
        'await self._learn(claim, command, False, "lookup", found)',
        "what a search found counts as absent",
    ),
    Mutant(
        "executor.store.calls",
        "    if not _may_begin_after_cancel(journal, intent):\n"
        '        return Blocked("cancelled")\n'
        "    if intent.woken not in (None, journal.woken):\n"
        '        return Blocked("news")\n',
        "",
        "a call may begin after the cancel, or whatever else has arrived",
    ),
    Mutant(
        "executor.store.drive_statements",
        '.where(table.c.wake_seq == of["seen"])',
        "",
        "a drive ends although something arrived",
    ),
    Mutant(
        "executor.store.drive_statements",
        'wake_at=case((table.c.status == "waiting", _NOW), else_=table.c.wake_at),\n'
        "        updated_at=_NOW,",
        "updated_at=_NOW,",
        "a wake is forgotten with the process that heard it",
    ),
    Mutant(
        "executor.run.facts",
        'state="uncertain",',
        'state="not_sent",',
        "a call that was under way when its process died counts as never made",
    ),
    Mutant(
        "executor.run.facts",
        "had_happened = ended.replayed or answered.intent.effect is not Effect.KEYED",
        "had_happened = False",
        "a replay says that the earlier call had not acted",
    ),
    Mutant(
        "executor.run.facts",
        "if gate.opened.expires_at <= outside.now:",
        "if False:",
        "a question that nobody answers stands for ever",
    ),
    Mutant(
        "executor.run.gates",
        "return gate.is_granted and gate.opened.expires_at > self.outside.now",
        "return gate.opened.expires_at > self.outside.now",
        "an approval that was asked for counts as given, and the store lets it",
        (
            "executor.store.approvals",
            'row.state != "granted" or row.args_hash',
            "row.args_hash",
        ),
    ),
    Mutant(
        "executor.store.rulings",
        'return _rule(c, row, "refused", now)',
        'return _rule(c, row, "granted", now)',
        "a no counts as a yes",
    ),
    Mutant(
        "executor.run.effects",
        "happened = any(each.has_happened and each not in untold for each in writes)",
        "happened = any(each.is_applied for each in writes)",
        "an effect whose answer was unusable is not told of",
    ),
    Mutant(
        "executor.run.effects",
        "for each in writes if each.is_uncertain or each.is_abandoned]",
        "for each in writes if each.is_uncertain]",
        "an effect that was given up is not told of",
    ),
    Mutant(
        "executor.run.retry",
        "earliest if asked is None else max(earliest, asked + jitter * 0.05)",
        "earliest",
        "Retry-After is not waited for, and the store lets it",
        ("executor.store.limits", "        if limit.hold_until > now:", "        if False:"),
    ),
    Mutant(
        "executor.run.instance",
        'effect: e.EffectHappened = "yes" if self.action.is_write else "no"',
        'effect: e.EffectHappened = "no"',
        "a step whose result is not as expected is said to have had no effect",
    ),
    Mutant(
        "executor.store.drive_statements",
        "epoch=table.c.epoch + 1,\n            wake_at=None,",
        "epoch=table.c.epoch,\n            wake_at=None,",
        "whoever takes over does not fence the one before",
    ),
    Mutant(
        "executor.run.ledger",
        "wake_at=wait.until,",
        "wake_at=None,",
        "nobody looks at a run again when its time has come",
    ),
)
PROTOCOL += (
    Mutant(
        "executor.run.undo",
        "            if other in self.targets or self.state.in_doubt(other) is not None:\n"
        "                return False\n",
        "",
        "an effect is undone before what depends on it",
    ),
    Mutant(
        "executor.run.undo",
        "            and self._stands_in_the_way(place) is None\n",
        "",
        "an effect is undone although what depends on it was given up",
    ),
    Mutant(
        "executor.run.course",
        "wants_back and _pivots(accepted, state) is False",
        "wants_back",
        "a cancelled run goes back after a pivot",
    ),
    Mutant(
        "executor.run.effects",
        "        if state.is_undone(place):",
        "        if place in state.undos:",
        "what was begun to be undone counts as undone",
    ),
    Mutant(
        "executor.run.reconcile",
        "if word in status.failed:",
        "if word in status.done:",
        "a task that is done counts as failed",
    ),
)
PROTOCOL += (
    Mutant(
        "executor.run.moves",
        "for place in self.state.unsettled",
        "for place in self.state.doubts",
        "another write begins while a call in doubt is made again",
    ),
    Mutant(
        "executor.run.moves",
        "if accepted.waits_for[name] <= passed:",
        "if accepted.waits_for[name] <= passed | state.begun.keys():",
        "a step begins as soon as what it waits for has begun",
    ),
    Mutant(
        "executor.run.hold",
        "asks = asks and not has_acted(tally.state)",
        "asks = False",
        "something acts before all that can be asked for is approved",
    ),
    Mutant(
        "executor.run.instance",
        "too_late = None if settles else tally.too_late(self.outside.now)",
        "too_late = None",
        "calls begin after the run's time",
    ),
    Mutant(
        "executor.run.tally",
        "if made > self.budgets.calls:",
        "if False:",
        "a run makes more calls than it may, one after the other",
    ),
    Mutant(
        "executor.store.permits",
        "if known.stop is not None:",
        "if False:",
        "a call begins although all was stopped",
    ),
    Mutant(
        "executor.store.permits",
        "if retry_at is not None:",
        "if False:",
        "a connection is called more often than its limit allows",
    ),
    Mutant(
        "executor.store.permits",
        "if what.quota is not None and what.quota.left <= PLENTY:",
        "if False:",
        "nobody counts down what a service says that it still takes",
    ),
    Mutant(
        "executor.run.slots",
        "if places.taken >= most:",
        "if False:",
        "more calls are under way at once than a connection allows",
    ),
    Mutant(
        "gateway.reconcile",
        "if now < from_then:",
        "if False:",
        "a service that knows of nothing yet is believed",
    ),
    Mutant(
        "executor.run.ledger",
        "if (journal.woken, journal.last) != known or not stands(basis):",
        "if False:",
        "a run ends although something arrived",
    ),
)
PROTOCOL += (
    Mutant(
        "executor.breaker",
        "if now < breaker.until:",
        "if False:",
        "calls begin while their service is taken for down",
    ),
    Mutant(
        "executor.breaker",
        "until=now + trial_s, changed_at=now",
        "until=now, changed_at=now",
        "a service that was down is tried by all calls at once",
    ),
    Mutant(
        "executor.run.so_far",
        '"writes": self.state.effects_besides(place),',
        '"writes": 0,',
        "policy is not told how much the run has written",
    ),
)
PROTOCOL += (
    Mutant(
        "executor.run.perform",
        'return command.action.is_write and event.state != "uncertain"',
        "return command.action.is_write",
        "who lost a run tells that it does not know",
    ),
)
PROTOCOL += (
    Mutant(
        "executor.run.compensation",
        "if last is None and self.outside.now < self.quiet_at:",
        "if False:",
        "an undo is called while what it takes back may still come through",
    ),
    Mutant(
        "executor.run.quarantine",
        " or (row.state in _HAPPENED and place in back)",
        "",
        "a run that is put aside says that stands what may have been taken back",
    ),
    Mutant(
        "executor.run.gates",
        "return is_same or asking <= set(opened.policy_texts)",
        "return True",
        "an approval stays although what asks for it has changed",
    ),
    Mutant(
        "executor.store.journal",
        "news = read(c, claim.tenant, claim.id, after=after, loaded=loaded)",
        "news = read(c, claim.tenant, claim.id, after=after)",
        "who takes over reads no large values",
    ),
    Mutant(
        "executor.run.facts",
        "        if attempt.is_answered:\n            continue\n",
        "",
        "an answer to what a call asks settles the calls before it",
    ),
    Mutant(
        "executor.run.drive",
        "            await self._flights.stop_waiting()\n            if not self._flights.places:\n"
        "                return False",
        "            if not self._flights.places:\n                return False",
        "a drive that is to end waits for a place that it keeps itself",
    ),
    Mutant(
        "executor.store.stops",
        "behind=BEFORE_STOP",
        "behind=()",
        "a stop is lifted, and a run that waits for something else as well is not told",
    ),
    Mutant(
        "executor.store.rulings",
        "if _approvers(c, row) >= row.quorum",
        "if True",
        "one of several people is enough",
    ),
    Mutant(
        "executor.store.rulings",
        'if decision == "approve" and _said_yes_in_another_role(c, row, by):',
        "if False:",
        "one person says yes in two roles",
    ),
    Mutant(
        "executor.run.envelopes",
        "if (departure := next(covered.departures(call), None)) is not None:",
        "if False:",
        "what is outside of what was approved is called, and the store lets it",
        (
            "executor.store.approvals",
            " and not [*step.departures(call.arguments)]",
            "",
        ),
    ),
    Mutant(
        "executor.run.instance",
        "return Continuation(ended.handle, told.answers)",
        "return None",
        "what somebody answers is not told to the service",
    ),
    Mutant(
        "executor.run.instance",
        "needs_nobody = self.around.is_cancelled or (is_read and self.around.is_stopping)",
        "needs_nobody = self.around.is_stopping",
        "a run fails while a call waits for an answer",
    ),
)
WORLD = (
    Mutant(
        "executor.run.perform",
        'return command.action.is_write and event.state != "uncertain"',
        "return False",
        "nobody who lost a run tells how its calls ended",
    ),
    Mutant(
        "sim_services",
        "return self.is_calm or self.rng.random() < 0.7",
        "return True",
        "every item of a call happens",
    ),
    Mutant(
        "sim_services",
        "self._later(rng.uniform(0.0, patience), action, context)\n"
        '                self.reached["a reply is lost"] += 1',
        "pass",
        "a lost reply means that nothing happened",
    ),
    Mutant(
        "sim_services",
        "self._later(patience + rng.uniform(0.0, SETTLE_S * 0.8), action, context)",
        "pass",
        "nothing happens after a time-out",
    ),
    Mutant(
        "sim_process",
        "        self.is_dead = True\n",
        "        return\n",
        "processes do not die",
    ),
    Mutant(
        "executor.run.perform",
        "lasts = min(until, start + intent.lease_s)",
        "lasts = inf",
        "a process sends although its lease is over",
    ),
    Mutant("sim_process", "self._running.clear()", "pass", "processes do not stand still"),
    Mutant("sim_chaos", "database.is_lost = True", "pass", "the database is never lost"),
    Mutant(
        "sim_chaos",
        "            history.drive(name, other)\n",
        "            pass\n",
        "no process takes over what another one drives",
    ),
    Mutant(
        "sim_services",
        'self.reached["replayed by its key"] += 1',
        "pass",
        "no service knows a key again",
    ),
    Mutant(
        "sim_services",
        'raise Refused("no", kind=kind, status=_STATUS[kind])',
        'raise Unavailable("no", sent=False)',
        "no service says no",
    ),
    Mutant("sim_chaos", "database.is_full = True", "pass", "there is always space"),
    Mutant(
        "sim_people",
        "told = partial(learn, restored=restored, tenant=TENANT,",
        "return\n        told = partial(learn, restored=restored, tenant=TENANT,",
        "no service tells by itself what became of a call",
    ),
    Mutant(
        "sim_people",
        "            return\n        history, connection",
        "            pass\n        return\n        history, connection",
        "nobody stops calls",
    ),
)
WORLD += (
    Mutant("sim_wide", "self.stood.append((now,", "(lambda _: None)((now,", "no policy changes"),
    Mutant(
        "sim_people",
        'if row.kind != "envelope" or self._rng.random() < 0.4:',
        "if True:",
        "nobody narrows what is asked of a whole plan",
    ),
    Mutant("sim_chaos", "worker.machine.halt()", "return", "no process ends in good order"),
)
MUTANTS = PROTOCOL + WORLD


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with the fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if self._mutant.changes(name) is None:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(_file(name)))

    def exec_module(self, module: ModuleType) -> None:
        text = mutated(self._mutant, module.__name__)
        exec(compile(text, str(_file(module.__name__)), "exec"), module.__dict__)


def _file(module: str) -> Path:
    inside = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return inside if inside.exists() else Path(__file__).with_name(f"{module}.py")


def mutated(mutant: Mutant, module: str) -> str:
    """A module's text with the fault; it must stand at one place."""
    change, text = mutant.changes(module), _file(module).read_text(encoding="utf-8")
    assert change is not None
    assert text.count(change[0]) == 1, f"{module}: {change[0]!r} is not there once"
    return text.replace(*change)


def main() -> None:
    """Look for the fault; 0 if it was found."""
    number, histories = int(sys.argv[1]), int(sys.argv[2])
    mutant = MUTANTS[number]
    sys.meta_path.insert(0, _Finder(mutant))
    sys.path.insert(0, str(Path(__file__).parent))
    play = importlib.import_module("sim_play")
    reached: Counter[str] = Counter()
    for seed in range(histories):
        found = play.play(seed, reached)
        if found is not None:
            print(f"{mutant.why}: found by history {seed}: {found}")
            return
        few = play.missing(reached, seed + 1, least=4.0) if seed % 250 == 249 else []
        if mutant in WORLD and few:
            print(f"{mutant.why}: after {seed + 1} histories too rare: {', '.join(few)}")
            return
    print(f"{mutant.why}: NOT FOUND in {histories} histories")
    sys.exit(1)


if __name__ == "__main__":
    main()
