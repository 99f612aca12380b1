"""A manifest says nothing that contradicts itself, and its digest and labels are of all of it."""

import pytest
from connector_cases import (
    end_of,
)
from hypothesis import given
from hypothesis import strategies as st
from strange_plugins import CLOSED, WRITE, fake, spec

from connectors.connector import Applied
from connectors.errors import (
    Kind,
    Refused,
)
from connectors.registry import Registry
from connectors.spec import ActionSpec, Integrity, JsonObject, Label


async def test_the_fake_gives_its_answers_in_turn_and_the_last_again_and_again() -> None:
    refused = Refused("no", kind=Kind.CONFLICT)
    found = fake([Applied(1), refused])
    ends = [await end_of(Registry({"own": found}), WRITE, {}) for _ in range(3)]

    assert ends[0] == Applied(1)
    assert [type(each) for each in ends[1:]] == [Refused, Refused]
    assert [name for name, _, _ in found.calls] == [WRITE.name] * 3


LABELS = st.builds(
    Label,
    st.sampled_from(Integrity),
    st.none() | st.frozensets(st.sampled_from("abc"), max_size=3),
)


@given(LABELS, LABELS, LABELS)
def test_a_join_is_never_higher_than_its_parts_and_order_does_not_matter(
    one: Label, two: Label, three: Label
) -> None:
    joined = one.join(two)

    assert joined == two.join(one)
    assert joined.join(three) == one.join(two.join(three))
    assert one.integrity.at_least(joined.integrity)
    assert one.readers is None or (joined.readers is not None and joined.readers <= one.readers)
    assert one.join(one) == one


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"effect": "read", "irreversible": True}, "a read has no effect"),
        ({"undo": {"action": "own.b"}, "pivot": True}, "exclude undo"),
        ({"effect": "read", "answers_as": {"action": "own.b", "of": ["id"]}}, "answers as itself"),
        ({"answers_as": {"action": "other.b", "of": ["id"]}}, "the same connection"),
        ({"answers_as": {"action": "own.b", "of": []}}, "of"),
        ({"effect": "keyed"}, "idempotency is missing"),
        ({"effect": "lookup"}, "lookup is missing"),
        ({"surprise": 1}, "surprise"),
        ({"name": "Own.do_it"}, "name"),
        ({"name": "own"}, "name"),
        ({"name": "own." + "x" * 61}, "name"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_none(manifest: JsonObject, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ActionSpec.model_validate({"name": "own.do_it", "input_schema": CLOSED, **manifest})


def test_the_digest_changes_with_every_word_of_a_definition() -> None:
    changed = [
        spec(),
        spec(description="x"),
        spec(timeout_s=1),
        spec(egress=False),
        spec(output_schema={}),
        spec(sinks={"a": "url"}),
        spec(approval=None),
    ]

    assert len({each.digest for each in changed}) == len(changed)
    assert spec().digest == spec().digest
