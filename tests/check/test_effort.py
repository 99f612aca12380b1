"""What is looked at of the types of one plan has an end, and what is beyond it is not known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_types import documents

from executor.check.compared import Compared
from executor.check.types import Effort, Flow, flows
from executor.plan.types import Type, child

TEXT, NUMBER = Type.of({"type": "string"}), Type.of({"type": "number"})


def arms(count: int, tag: str) -> Type:
    """One of several objects, each with a member of its own."""
    members = [
        {"type": "object", "properties": {f"{tag}{at}": {"type": "string"}, "k": {"const": at}}}
        for at in range(count)
    ]
    return Type.of({"anyOf": [*members]})


@given(st.integers(0, 2**48).map(random.Random), st.integers(0, 12))
def test_who_looks_at_less_knows_less_and_nothing_else(rng: random.Random, pairs: int) -> None:
    source, target = map(Type.of, documents(rng))

    assert flows(source, target, Effort(pairs)) in (flows(source, target), Flow.UNKNOWN)


def test_all_questions_of_a_plan_share_what_may_be_looked_at() -> None:
    compared = Compared()

    assert compared.flow(TEXT, NUMBER) is Flow.NO
    for number in range(20):
        compared.flow(arms(40, f"a{number}"), arms(40, f"b{number}"))
    assert compared.flow(NUMBER, TEXT) is Flow.UNKNOWN
    assert compared.flow(TEXT, NUMBER) is Flow.NO  # which was known already


@given(st.integers(0, 2**48).map(random.Random))
def test_what_was_asked_before_changes_no_answer(rng: random.Random) -> None:
    node = {"anyOf": [*documents(rng)]}
    found = Type.of(node)
    for token in ("c", "zz", "9", "a", "0", "b", "1", "yy"):
        asked, alone = child(found, token), child(Type.of(node), token)

        assert isinstance(asked, Type) is isinstance(alone, Type)
        if isinstance(asked, Type) and isinstance(alone, Type):
            assert asked.node == alone.node


@pytest.mark.parametrize("token", ["a3", "zz"])
def test_the_same_place_of_a_type_is_looked_for_once(token: str) -> None:
    compared, found = Compared(), arms(4, "a")

    assert compared.child(found, token) is compared.child(found, token)
