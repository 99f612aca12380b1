"""Every known way to break a plan, with the codes that it is named for."""

from collections.abc import Callable
from typing import Any

from benchmarks.admission.mutations import flow, shape
from benchmarks.admission.mutations.parts import Rng
from benchmarks.admission.seeds import Seed

Mutation = Callable[[dict[str, Any], Seed, Rng], str | None]
_STEP, _TYPE = frozenset({"unknown-step"}), frozenset({"type-mismatch", "not-a-list"})
_SHAPE = frozenset({"unknown-field"})
MUTATIONS: dict[str, tuple[Mutation, frozenset[str]]] = {
    "unknown action": (flow.unknown_action, frozenset({"unknown-action"})),
    "another action": (
        flow.another_action,
        frozenset({"unknown-argument", "missing-argument", "unknown-path"}) | _TYPE,
    ),
    "argument dropped": (flow.dropped_argument, frozenset({"missing-argument", "sparse-array"})),
    "argument added": (flow.extra_argument, frozenset({"unknown-argument"})),
    "declared argument added": (flow.declared_argument, _TYPE),
    "argument below another's place": (
        flow.deeper_argument,
        frozenset({"unknown-argument"}) | _TYPE,
    ),
    "literal of another type": (flow.wrong_literal, _TYPE),
    "constant for an argument": (flow.wrong_constant, _TYPE),
    "literal for a reference": (flow.literal_for_reference, _TYPE),
    "text around a reference": (flow.text_around, _TYPE),
    "two places swapped": (flow.swapped, _TYPE),
    "dangling reference": (flow.dangling_reference, _STEP),
    "another reference": (flow.other_reference, _TYPE | {"cycle"}),
    "circle": (flow.circle, frozenset({"cycle"})),
    "bad path": (flow.bad_path, frozenset({"unknown-path"})),
    "bad field of a function": (flow.bad_field, frozenset({"unknown-path"})),
    "bad clause of a function": (flow.bad_clause, _TYPE | {"not-comparable"}),
    "duplicate id": (shape.duplicate_id, frozenset({"duplicate-id"})),
    "step repeated": (shape.repeated_step, frozenset({"duplicate-id"})),
    "overlapping places": (shape.overlapping, frozenset({"overlapping-argument"})),
    "sparse places": (shape.sparse, frozenset({"sparse-array", "unknown-argument"})),
    "answer's places": (shape.sparse_answer, frozenset({"sparse-array", "overlapping-argument"})),
    "each over anything": (flow.each_over, frozenset({"not-a-list", "cycle", "unknown-path"})),
    "bad operator": (shape.bad_operator, _SHAPE),
    "incomparable": (flow.incomparable, frozenset({"not-comparable"})),
    "number out of range": (
        shape.huge_number,
        frozenset({"number-out-of-range", "malformed-json"}),
    ),
    "unreadable json": (
        shape.bad_json,
        frozenset({"malformed-json", "duplicate-key", "number-out-of-range"}),
    ),
    "two forms at once": (shape.two_forms, _SHAPE),
    "unknown member": (shape.unknown_member, _SHAPE),
    "member lost": (shape.lost_member, _SHAPE),
    "member of another shape": (shape.wrong_shape, _SHAPE),
    "broken text": (shape.broken_text, frozenset({"malformed-json"})),
    "member twice": (shape.member_twice, frozenset({"duplicate-key"})),
    "too many steps": (shape.too_many_steps, frozenset({"budget-exceeded"})),
}
