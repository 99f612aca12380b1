"""A catalogue that is kept as text and read again."""

import gc

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect

ACTIONS = [
    ActionSpec.model_validate(each)
    for each in (
        {"name": "a.read", "input_schema": {"type": "object"}, "effect": "read"},
        {
            "name": "a.pay",
            "input_schema": {"type": "object", "properties": {"n": {"const": 1.0}}},
            "effect": "keyed",
            "idempotency": {"in": "header", "name": "key", "window_s": 60},
            "sinks": {"n": "amount"},
            "readers": ["board"],
        },
    )
]


def test_what_is_read_again_is_what_was_kept() -> None:
    again = Catalog.restore(Catalog(ACTIONS).stored())

    assert [*again] == ACTIONS
    assert [each.digest for each in again] == [each.digest for each in ACTIONS]


@pytest.mark.parametrize("text", [b"\n", b"{}", b'{"name": "a.b"}\n', b"[]"])
def test_anything_else_is_refused_and_leaves_nothing_behind(text: bytes) -> None:
    with pytest.raises(ValueError):
        Catalog.restore(text)
    assert gc.isenabled()


def test_two_of_one_name_are_refused() -> None:
    twice = Catalog(ACTIONS[:1]).stored() * 2

    with pytest.raises(ValueError, match=r"two actions are called a\.read"):
        Catalog.restore(twice)


def test_a_definition_is_equal_to_one_of_the_same_content_and_a_copy_is_its_own() -> None:
    first, *_ = ACTIONS
    again = ActionSpec.model_validate_json(first.model_dump_json(by_alias=True))
    digest = first.digest
    copied = first.model_copy(update={"description": "other"})

    assert (again, hash(again), again.digest) == (first, hash(first), digest)
    assert copied != first
    assert copied.digest != digest
    assert copied.model_copy(update={"description": first.description}) == first
    assert first != first.name


def test_what_was_worked_out_of_a_definition_is_worked_out_anew_of_its_copy() -> None:
    reads = next(each for each in ACTIONS if not each.is_write)
    writes = reads.model_copy(update={"name": "b.write", "effect": Effect.BLIND})

    assert (reads.is_write, reads.connection) == (False, "a")
    assert (writes.is_write, writes.connection) == (True, "b")


def test_the_name_that_was_meant_is_found_among_very_many() -> None:
    names = [
        f"svc{number}.{verb}_order" for number in range(100) for verb in ("get", "list", "add")
    ]
    many = Catalog(ACTIONS[0].model_copy(update={"name": name}) for name in names)

    assert many.candidates("svc42.gte_order")[0] == "svc42.get_order"
    assert many.candidates("svc7.lits_order", 1) == ("svc7.list_order",)
    assert many.candidates("x" * 100_000) == ()
