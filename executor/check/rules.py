"""The rules of admission over structure and types: each one small function with a sentence.

A rule yields every violation it finds. Rules are independent: all of them run, and a later
one copes with what an earlier one complained about by saying nothing more of it.
"""

import difflib
from collections.abc import Callable, Iterator
from itertools import accumulate, islice

from executor.check.analysis import Analysis
from executor.check.arguments import (
    bound_once,
    fits_as_a_whole,
    known_arguments,
    readable_constants,
    required_arguments,
    right_types,
    sound_answer,
)
from executor.check.conditions import comparable_clauses, comparable_conditions, known_fields
from executor.check.extracts import bounded_extracts
from executor.check.say import say
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.graph import cycles
from executor.plan.model import RESERVED_IDS, Step
from executor.plan.refs import OWN_ROOTS, Ref, Use, parse_ref, refs_of_conds
from executor.plan.types import MISSING, Found, Type, as_object, kinds

Rule = Callable[[Analysis], Iterator[Violation]]
MOST_GUESSES = 5  # looking for names that look alike takes time in a large catalogue


def unique_ids(analysis: Analysis) -> Iterator[Violation]:
    """Every step has an id of its own, which reads as no part of another's.

    Some the language keeps for itself.
    """
    seen: set[str] = set()
    for index, step in enumerate(analysis.plan.steps):
        at = f"/steps/{index}/id"
        if step.id in RESERVED_IDS:
            yield say("duplicate-id", at, f"{step.id!r} is reserved", step, fix="Rename the step.")
        if step.id in seen:
            message = f"two steps are called {step.id!r}"
            yield say("duplicate-id", at, message, step, fix="Rename one of them.")
        seen.add(step.id)
        parents = [*accumulate(step.id.split("."), "{}.{}".format)][:-1]
        if above := next((each for each in parents if each in analysis.by_id), None):
            message = f"{step.id!r} reads as a part of {above!r}"
            yield say("duplicate-id", at, message, step, fix="Rename one of them.")


def known_actions(analysis: Analysis) -> Iterator[Violation]:
    """Every action is in the catalogue."""
    steps = enumerate(analysis.plan.steps)
    unknown = [(index, step) for index, step in steps if analysis.action(step) is None]
    names_of = {
        name: _names_like(analysis, name)
        for name in islice(dict.fromkeys(step.action for _, step in unknown), MOST_GUESSES)
    }
    for index, step in unknown:
        names = names_of.get(step.action, ())
        hint = f"; did you mean {names[0]}?" if names else ""
        message = f"{step.action} is not in the catalog{hint}"
        fix = "Use an action of the catalog, or say `unable`."
        yield say("unknown-action", f"/steps/{index}/action", message, step, names, fix)


def known_steps(analysis: Analysis) -> Iterator[Violation]:
    """Every reference and every `after` names something that can be referred to there."""
    ids = tuple(analysis.by_id)
    for step, use in analysis.refs:
        if not analysis.has_root(step, use.ref, use.role):
            message = f"{use.ref.root!r} cannot be referred to here"
            yield say("unknown-step", use.at, message, step, ids, "Refer to a step or `input`.")
    for index, step in enumerate(analysis.plan.steps):
        for number, name in enumerate(step.after):
            if name not in analysis.by_id:
                message = f"there is no step {name!r} to wait for"
                at = f"/steps/{index}/after/{number}"
                yield say("unknown-step", at, message, step, ids, "Name a step of this plan.")


def known_paths(analysis: Analysis) -> Iterator[Violation]:
    """Every path exists in the output or input it points into, as far as the schema tells."""
    for step, use in analysis.refs:
        if not analysis.has_root(step, use.ref, use.role):
            continue
        if analysis.type_of(step, use.ref) is MISSING:
            names = _siblings(analysis, step, use)
            message = f"nothing is at {use.ref}"
            yield say("unknown-path", use.at, message, step, names, "Use a declared property.")


def no_cycles(analysis: Analysis) -> Iterator[Violation]:
    """No step waits for itself, near or far."""
    for circle in cycles(analysis.graph):
        first = analysis.by_id[circle[0]]
        message = " waits for ".join((*circle, circle[0]))
        at = f"/steps/{analysis.place[first.id]}"
        yield say("cycle", at, message, first, fix="Break the circle.")


def lists_to_iterate(analysis: Analysis) -> Iterator[Violation]:
    """`each` refers to an array."""
    for index, step in enumerate(analysis.plan.steps):
        if step.each is None or (ref := parse_ref(step.each)).root in OWN_ROOTS:
            continue  # what is refused anyway is no list and no other thing
        found = analysis.type_of(step, ref)
        if found is not MISSING and is_list(found) is False:
            fix = "Refer to an array."
            yield say("not-a-list", f"/steps/{index}/each", f"{ref} is no array", step, (), fix)


def checks_before_effects(analysis: Analysis) -> Iterator[Violation]:
    """What cannot be undone does not stand before an `expect` that its own data must meet.

    A step's `expect` is checked after its call. One that does not look at `result` could have
    been checked before, by the step whose result it looks at.
    """
    for index, step in enumerate(analysis.plan.steps):
        action = analysis.action(step)
        if action is None or not (action.irreversible or action.pivot):
            continue
        for number, cond in enumerate(step.expect):
            if any(use.ref.root == "result" for use in refs_of_conds((cond,))):
                continue
            message = f"{step.action} cannot be undone, and this is checked only after it"
            fix = "Let the step expect it whose result this looks at, or put it into `when`."
            at = f"/steps/{index}/expect/{number}"
            yield say("effect-before-check", at, message, step, (), fix)


RULES: tuple[Rule, ...] = (
    unique_ids,
    known_actions,
    known_steps,
    known_paths,
    no_cycles,
    lists_to_iterate,
    known_arguments,
    bound_once,
    required_arguments,
    right_types,
    fits_as_a_whole,
    readable_constants,
    sound_answer,
    known_fields,
    comparable_conditions,
    comparable_clauses,
    bounded_extracts,
    checks_before_effects,
)


def structural_violations(analysis: Analysis) -> tuple[Violation, ...]:
    """Apply every rule."""
    return tuple(violation for rule in RULES for violation in rule(analysis))


def _names_like(analysis: Analysis, name: str) -> tuple[str, ...]:
    if name.startswith("fn."):
        return tuple(difflib.get_close_matches(name, FUNCTIONS, cutoff=0.4)) or tuple(FUNCTIONS)
    return analysis.catalog.candidates(name)


def _siblings(analysis: Analysis, step: Step | None, use: Use) -> tuple[str, ...]:
    for length in reversed(range(len(use.ref.tokens))):
        shorter = Ref(use.ref.root, use.ref.tokens[:length])
        found = analysis.type_of(step, shorter)
        if isinstance(found, Type):
            return tuple(as_object(found.keywords.get("properties")))
    return ()


def is_list(found: Found) -> bool | None:
    """Whether it is an array: yes, no, or None where the schema does not say."""
    if found is MISSING or not isinstance(found, Type):
        return False
    names = kinds(found)
    if names is None:
        return None
    return True if names == {"array"} else (None if "array" in names else False)
