"""Rules about calls that succeed, and about saying no: what a manifest promises is done."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Refused, Unavailable, Uncertain
from connectors.looked_up import NotAskedForError, found_in
from connectors.pointer import value_at
from connectors.spec import Effect, JsonObject, Lookup, Undo
from connectors.testing.service import Fault
from connectors.testing.steps import steps_of
from connectors.testing.tiers import Broken, NotTried, Spared, hold, needs
from connectors.testing.trial import Trial, Tried, new_key
from connectors.validate import first_flaw

_PATIENCE_S, _GRACE_S = 0.4, 1.6
_REPEATABLE = (Effect.KEYED, Effect.IDEMPOTENT)


def a_read_changes_nothing(trial: Trial) -> None:
    """Reads are repeated at will."""
    _only_if(trial, Effect.READ)
    call = trial.example.read or needs("read")
    tried = trial.call(call)
    hold(tried.action.effect is Effect.READ, f"{tried.action.name} is no read")
    hold(isinstance(tried.ended, Applied), tried.was)
    hold(tried.effects == 0, f"{tried.action.name} had an effect")


def results_are_what_their_schemas_say(trial: Trial) -> None:
    """The next step of a plan was typed by the schema."""
    for call in trial.example.good or needs("read"):
        tried = trial.call(call)
        hold(isinstance(tried.ended, Applied), tried.was)
        flaw = first_flaw(tried.action.output_schema or {}, tried.output)
        hold(flaw is None, f"{tried.action.name}: {flaw}")


def the_same_key_twice_acts_once(trial: Trial) -> None:
    """That is what `keyed` and `idempotent` promise."""
    _only_if(trial, *_REPEATABLE)
    call, key = trial.fresh(trial.example.keyed or needs("keyed")), new_key()
    first, second = trial.call(call, key=key), trial.call(call, key=key, attempt=2)
    hold(first.action.effect in _REPEATABLE, f"{first.action.name} promises no such thing")
    hold(isinstance(first.ended, Applied), first.was)
    hold(isinstance(second.ended, Applied), second.was)
    hold(first.output == second.output, "under one key it gave two answers")
    if trial.example.effects is not None:
        seen = (first.effects, second.effects)
        hold(seen == (1, 0), f"under one key it acted {seen[0]} and {seen[1]} times")


def what_was_done_is_found_by_its_key_and_nothing_else_is(trial: Trial) -> None:
    """That is what `lookup` promises: present and absent are told apart."""
    _only_if(trial, Effect.LOOKUP)
    call, key = trial.example.found or needs("found"), new_key()
    done = trial.call(call, key=key)
    lookup = done.action.lookup
    if lookup is None:
        raise NotTried(f"{done.action.name} of `found` has no look-up")
    hold(isinstance(done.ended, Applied), done.was)
    other = new_key()
    present = trial.call((lookup.action, {lookup.by: key}))
    absent = trial.call((lookup.action, {lookup.by: other}))
    hold(isinstance(present.ended, Applied), present.was)
    hold(looked_up(present, lookup, key) == done.output, "it finds something else")
    hold(isinstance(absent.ended, Applied | Refused), absent.was)
    hold(looked_up(absent, lookup, other) is None, "it finds what was never done")


def what_is_undone_is_gone(trial: Trial) -> None:
    """A run that goes back leaves nothing behind, also where it has to say so twice."""
    if not any(action.undo for action in trial.actions()):
        raise Spared("no action has an undo")
    call = trial.fresh(trial.example.undone or needs("undone"))
    if trial.example.state is None:
        needs("state")
    before = trial.state()
    done = trial.call(call)
    undo = done.action.undo
    if undo is None:
        raise NotTried(f"{done.action.name} of `undone` has no undo")
    hold(isinstance(done.ended, Applied), done.was)
    hold(trial.state() != before, f"{done.action.name} left nothing that could be taken back")
    back, key = (undo.action, undo_arguments(undo, call[1], done.output)), new_key()
    first = trial.call(back, key=key)
    hold(isinstance(first.ended, Applied), first.was)
    hold(trial.state() == before, f"after {undo.action} something is left")
    again = trial.call(back, key=key, attempt=2)
    hold(isinstance(again.ended, Applied | Refused), f"said twice, {again.was}")
    hold(trial.state() == before, f"said twice, {undo.action} took away more")


def a_no_is_refused_and_has_no_effect(trial: Trial) -> None:
    """The executor asks one thing of an error: what may be done next."""
    tried = trial.call(trial.example.refused or needs("refused"))
    hold(isinstance(tried.ended, Refused), tried.was)
    hold(tried.effects == 0, f"{tried.action.name} had an effect all the same")


def nothing_is_sent_after_its_time(trial: Trial) -> None:
    """A drive that lost its claim may not act any more."""
    chosen = trial.example.write or trial.example.read or needs("read")
    tried = trial.call(chosen, seconds=-1.0)
    hold(isinstance(tried.ended, Unavailable), tried.was)
    hold(tried.effects == 0 and not tried.asked, f"{tried.action.name} was sent")
    hold(isinstance(tried.ended, Unavailable) and not tried.ended.sent, "it says that it was sent")


def silence_ends_at_the_deadline_and_is_called_what_it_is(trial: Trial) -> None:
    """A write may have happened, a read has no effect to be in doubt."""
    example = trial.example
    if example.service is not None:
        for step in steps_of(trial):
            # What the service really answers before has to be in time.
            seconds = _PATIENCE_S + 2 * step.took_s
            tried = trial.call(step.call, seconds=seconds, fault=Fault(ending="hang"), at=step.at)
            step.hold(tried, "silence", reading=Unavailable, acting=Uncertain)
            _in_time(tried, seconds)
        return
    tried = trial.call(example.silent or needs("silent"), seconds=_PATIENCE_S, is_silent=True)
    due = Uncertain if tried.action.is_write else Unavailable
    hold(isinstance(tried.ended, due), f"{tried.was}, not in {due.__name__}")
    _in_time(tried, _PATIENCE_S)


def _in_time(tried: Tried, seconds: float) -> None:
    told = f"{tried.action.name} took {tried.seconds:.1f} s of {seconds:.1f}"
    hold(tried.seconds < seconds + _GRACE_S, told)


def looked_up(tried: Tried, lookup: Lookup, key: str) -> JsonValue:
    """What a look-up found, as the executor reads it."""
    try:
        return found_in(tried.output, lookup, key)
    except NotAskedForError as error:
        raise Broken(f"{tried.action.name}: {error}") from error


def undo_arguments(undo: Undo, given: Mapping[str, JsonValue], output: JsonValue) -> JsonObject:
    """The undo's arguments, of the call's own and its output."""
    found: JsonObject = {}
    for each in undo.args:
        path = str(each.get("to", "")).split("/")
        if "ref" in each:
            root, *tokens = str(each["ref"]).split("/")
            value = value_at(dict(given) if root == "input" else output, tokens)
        elif "json" in each:
            value = json.loads(str(each["json"]))
        else:
            value = each.get("value")
        here = found
        for token in path[:-1]:
            inner = here.setdefault(token, {})
            if not isinstance(inner, dict):
                raise NotTried(f"{undo.action}: the suite does not build its arguments")
            here = inner
        here[path[-1]] = value
    return found


def _only_if(trial: Trial, *effects: Effect) -> None:
    if not any(action.effect in effects for action in trial.actions()):
        raise Spared(f"no action is {' or '.join(effects)}")
